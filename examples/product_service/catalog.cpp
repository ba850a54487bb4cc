#include "catalog.hpp"

#include "sqlite.hpp"

namespace shop {

namespace {

constexpr std::int64_t max_cart_items = 50;

std::optional<std::int64_t> find_category(connection& connection, std::string_view slug) {
    rows found = connection.query("SELECT id FROM categories WHERE slug = ?", slug);
    return found.next() ? std::optional{found.integer(0)} : std::nullopt;
}

std::int64_t require_category(connection& connection, const std::string& slug) {
    if (const auto id = find_category(connection, slug)) {
        return *id;
    }
    throw bad_request{"there is no category \"" + slug + "\""};
}

std::optional<product> find_product_on(connection& connection, std::int64_t id) {
    rows found =
        connection.query("SELECT p.id, p.name, c.slug, p.description, p.price_cents, p.stock "
                         "FROM products p JOIN categories c ON c.id = p.category_id WHERE p.id = ?",
                         id);
    if (!found.next()) {
        return std::nullopt;
    }
    return product{{.name = found.text(1),
                    .category = found.text(2),
                    .description = found.text(3),
                    .price_cents = found.integer(4),
                    .stock = found.integer(5)},
                   found.integer(0)};
}

std::vector<product_row> read_rows(rows found) {
    std::vector<product_row> result;
    while (found.next()) {
        result.push_back({.id = found.integer(0),
                          .name = found.text(1),
                          .category = found.text(2),
                          .price_cents = found.integer(3),
                          .stock = found.integer(4)});
    }
    return result;
}

/// `text` as a pattern of LIKE that matches it anywhere.
std::string anywhere(std::string_view text) {
    std::string pattern = "%";
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') {
            pattern += '\\';
        }
        pattern += c;
    }
    pattern += '%';
    return pattern;
}

std::vector<category_sales> sales_by_category(connection& connection) {
    rows found = connection.query(R"sql(
        SELECT c.slug,
               COUNT(DISTINCT l.order_id),
               SUM(l.quantity),
               SUM(l.quantity * l.unit_price_cents) AS revenue,
               (SELECT SUM(s.price_cents * s.stock) FROM products s WHERE s.category_id = c.id)
        FROM order_lines l
        JOIN products p ON p.id = l.product_id
        JOIN categories c ON c.id = p.category_id
        GROUP BY c.id
        ORDER BY revenue DESC, c.slug)sql");
    std::vector<category_sales> result;
    while (found.next()) {
        result.push_back({.category = found.text(0),
                          .orders = found.integer(1),
                          .units = found.integer(2),
                          .revenue_cents = found.integer(3),
                          .stock_value_cents = found.integer(4)});
    }
    return result;
}

std::vector<month_sales> sales_by_month(connection& connection) {
    rows found = connection.query(R"sql(
        SELECT substr(o.placed_on, 1, 7) AS month,
               COUNT(DISTINCT o.id),
               SUM(l.quantity * l.unit_price_cents)
        FROM orders o JOIN order_lines l ON l.order_id = o.id
        GROUP BY month
        ORDER BY month)sql");
    std::vector<month_sales> result;
    while (found.next()) {
        result.push_back({.month = found.text(0),
                          .orders = found.integer(1),
                          .revenue_cents = found.integer(2)});
    }
    return result;
}

std::vector<bestseller> find_bestsellers(connection& connection) {
    rows found = connection.query(R"sql(
        SELECT p.id, p.name, SUM(l.quantity) AS units, SUM(l.quantity * l.unit_price_cents)
        FROM order_lines l JOIN products p ON p.id = l.product_id
        GROUP BY p.id
        ORDER BY units DESC, p.id
        LIMIT 10)sql");
    std::vector<bestseller> result;
    while (found.next()) {
        result.push_back({.product_id = found.integer(0),
                          .name = found.text(1),
                          .units = found.integer(2),
                          .revenue_cents = found.integer(3)});
    }
    return result;
}

std::vector<product_pair> find_bought_together(connection& connection) {
    rows found = connection.query(R"sql(
        WITH pairs AS (
            SELECT a.product_id AS first, b.product_id AS second, COUNT(*) AS orders
            FROM order_lines a
            JOIN order_lines b ON b.order_id = a.order_id AND b.product_id > a.product_id
            GROUP BY a.product_id, b.product_id
            ORDER BY orders DESC, first, second
            LIMIT 10)
        SELECT p.name, q.name, pairs.orders
        FROM pairs
        JOIN products p ON p.id = pairs.first
        JOIN products q ON q.id = pairs.second
        ORDER BY pairs.orders DESC, pairs.first, pairs.second)sql");
    std::vector<product_pair> result;
    while (found.next()) {
        result.push_back(
            {.first = found.text(0), .second = found.text(1), .orders = found.integer(2)});
    }
    return result;
}

} // namespace

std::optional<product> catalog::find_product(std::int64_t id) const {
    const database::loan connection = database_.borrow();
    return find_product_on(*connection, id);
}

std::optional<product_page> catalog::list_products(const page_request& wanted) const {
    const database::loan connection = database_.borrow();
    const transaction snapshot{*connection, transaction::kind::read};
    product_page page{.items = {}, .page = wanted.page, .per_page = wanted.per_page, .total = 0};
    const std::int64_t offset = (wanted.page - 1) * wanted.per_page;
    if (!wanted.category) {
        rows count = connection->query("SELECT COUNT(*) FROM products");
        page.total = count.next() ? count.integer(0) : 0;
        page.items =
            read_rows(connection->query("SELECT p.id, p.name, c.slug, p.price_cents, p.stock "
                                        "FROM products p JOIN categories c ON c.id = p.category_id "
                                        "ORDER BY p.id LIMIT ? OFFSET ?",
                                        wanted.per_page, offset));
        return page;
    }
    const auto category = find_category(*connection, *wanted.category);
    if (!category) {
        return std::nullopt;
    }
    rows count =
        connection->query("SELECT COUNT(*) FROM products WHERE category_id = ?", *category);
    page.total = count.next() ? count.integer(0) : 0;
    page.items =
        read_rows(connection->query("SELECT p.id, p.name, c.slug, p.price_cents, p.stock "
                                    "FROM products p JOIN categories c ON c.id = p.category_id "
                                    "WHERE p.category_id = ? ORDER BY p.id LIMIT ? OFFSET ?",
                                    *category, wanted.per_page, offset));
    return page;
}

std::vector<product_row> catalog::search(std::string_view text, std::int64_t limit) const {
    const database::loan connection = database_.borrow();
    return read_rows(connection->query("SELECT p.id, p.name, c.slug, p.price_cents, p.stock "
                                       "FROM products p JOIN categories c ON c.id = p.category_id "
                                       "WHERE p.name LIKE ? ESCAPE '\\' ORDER BY p.id LIMIT ?",
                                       anywhere(text), limit));
}

sales_report catalog::report() const {
    const database::loan connection = database_.borrow();
    const transaction snapshot{*connection, transaction::kind::read};
    return {.categories = sales_by_category(*connection),
            .months = sales_by_month(*connection),
            .bestsellers = find_bestsellers(*connection),
            .bought_together = find_bought_together(*connection)};
}

product catalog::add_product(const product_draft& draft) {
    const database::loan connection = database_.borrow();
    transaction writing{*connection, transaction::kind::write};
    connection->execute("INSERT INTO products (category_id, name, description, price_cents, stock) "
                        "VALUES (?, ?, ?, ?, ?)",
                        require_category(*connection, draft.category), draft.name,
                        draft.description, draft.price_cents, draft.stock);
    const std::int64_t id = connection->last_insert_id();
    writing.commit();
    return {draft, id};
}

std::optional<catalog::change> catalog::update_product(std::int64_t id,
                                                       const product_draft& draft) {
    const database::loan connection = database_.borrow();
    transaction writing{*connection, transaction::kind::write};
    const auto before = find_product_on(*connection, id);
    if (!before) {
        return std::nullopt;
    }
    connection->execute("UPDATE products SET category_id = ?, name = ?, description = ?, "
                        "price_cents = ?, stock = ? WHERE id = ?",
                        require_category(*connection, draft.category), draft.name,
                        draft.description, draft.price_cents, draft.stock, id);
    writing.commit();
    return change{*before, {draft, id}};
}

std::optional<catalog::removal> catalog::remove_product(std::int64_t id) {
    const database::loan connection = database_.borrow();
    transaction writing{*connection, transaction::kind::write};
    const auto product = find_product_on(*connection, id);
    if (!product) {
        return std::nullopt;
    }
    removal done{*product, {}};
    {
        rows carts = connection->query("SELECT user_id FROM cart_items WHERE product_id = ?", id);
        while (carts.next()) {
            done.carts.push_back(carts.text(0));
        }
    }
    try {
        connection->execute("DELETE FROM products WHERE id = ?", id);
    } catch (const database_error& error) {
        if (error.is_constraint()) {
            throw conflict{"product " + std::to_string(id) +
                           " has been sold and stays for the records; set its stock to 0 instead"};
        }
        throw;
    }
    writing.commit();
    return done;
}

cart catalog::find_cart(std::string_view user) const {
    const database::loan connection = database_.borrow();
    rows found = connection->query(
        "SELECT product_id, quantity FROM cart_items WHERE user_id = ? ORDER BY product_id", user);
    cart result;
    while (found.next()) {
        result.items.push_back({.product_id = found.integer(0), .quantity = found.integer(1)});
    }
    return result;
}

bool catalog::put_in_cart(std::string_view user, const cart_item& item) {
    const database::loan connection = database_.borrow();
    transaction writing{*connection, transaction::kind::write};
    if (!find_product_on(*connection, item.product_id)) {
        return false;
    }
    connection->execute("INSERT INTO cart_items (user_id, product_id, quantity) VALUES (?, ?, ?) "
                        "ON CONFLICT DO UPDATE SET quantity = excluded.quantity",
                        user, item.product_id, item.quantity);
    rows count = connection->query("SELECT COUNT(*) FROM cart_items WHERE user_id = ?", user);
    if (count.next() && count.integer(0) > max_cart_items) {
        throw conflict{"a cart holds at most " + std::to_string(max_cart_items) + " products"};
    }
    writing.commit();
    return true;
}

bool catalog::remove_from_cart(std::string_view user, std::int64_t product_id) {
    const database::loan connection = database_.borrow();
    return connection->execute("DELETE FROM cart_items WHERE user_id = ? AND product_id = ?", user,
                               product_id) != 0;
}

void catalog::empty_cart(std::string_view user) {
    const database::loan connection = database_.borrow();
    connection->execute("DELETE FROM cart_items WHERE user_id = ?", user);
}

void catalog::check() const {
    const database::loan connection = database_.borrow();
    connection->query("SELECT id FROM products LIMIT 1").next();
}

} // namespace shop
