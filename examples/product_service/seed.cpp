#include "seed.hpp"

#include "sqlite.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

namespace {

constexpr std::int64_t products_per_category = 250;
constexpr std::int64_t order_count = 30'000;
constexpr std::int64_t schema_version = 1;

constexpr const char* schema = R"sql(
CREATE TABLE categories (
    id   INTEGER PRIMARY KEY,
    slug TEXT NOT NULL UNIQUE
);
CREATE TABLE products (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,  -- an id is never used again
    category_id INTEGER NOT NULL REFERENCES categories (id),
    name        TEXT NOT NULL,
    description TEXT NOT NULL,
    price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
    stock       INTEGER NOT NULL CHECK (stock >= 0)
);
CREATE INDEX products_by_category ON products (category_id, id);
CREATE TABLE orders (
    id        INTEGER PRIMARY KEY,
    placed_on TEXT NOT NULL  -- YYYY-MM-DD
);
CREATE TABLE order_lines (
    order_id         INTEGER NOT NULL REFERENCES orders (id),
    product_id       INTEGER NOT NULL REFERENCES products (id),
    quantity         INTEGER NOT NULL CHECK (quantity > 0),
    unit_price_cents INTEGER NOT NULL,
    PRIMARY KEY (order_id, product_id)
) WITHOUT ROWID;
CREATE INDEX order_lines_by_product ON order_lines (product_id);
CREATE TABLE cart_items (
    user_id    TEXT NOT NULL,
    product_id INTEGER NOT NULL REFERENCES products (id) ON DELETE CASCADE,
    quantity   INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (user_id, product_id)
) WITHOUT ROWID;
CREATE INDEX cart_items_by_product ON cart_items (product_id);
)sql";

struct category_seed {
    std::string_view slug;
    std::array<std::string_view, 5> nouns;
};

constexpr std::array<category_seed, 12> categories{{
    {"lighting", {"Lamp", "Lantern", "Chandelier", "Spotlight", "Sconce"}},
    {"seating", {"Chair", "Stool", "Bench", "Armchair", "Sofa"}},
    {"tables", {"Desk", "Table", "Sideboard", "Trolley", "Workbench"}},
    {"storage", {"Shelf", "Cabinet", "Chest", "Basket", "Wardrobe"}},
    {"kitchen", {"Kettle", "Pan", "Teapot", "Grinder", "Toaster"}},
    {"tableware", {"Plate", "Bowl", "Mug", "Carafe", "Platter"}},
    {"textiles", {"Blanket", "Cushion", "Curtain", "Rug", "Towel"}},
    {"garden-tools", {"Spade", "Rake", "Shears", "Trowel", "Watering Can"}},
    {"hand-tools", {"Hammer", "Chisel", "Plane", "Saw", "Screwdriver"}},
    {"outdoor", {"Tent", "Hammock", "Parasol", "Cooler", "Backpack"}},
    {"audio", {"Speaker", "Headphones", "Turntable", "Radio", "Amplifier"}},
    {"stationery", {"Notebook", "Pen", "Ruler", "Folder", "Stapler"}},
}};

constexpr std::array<std::string_view, 10> adjectives{"Compact", "Classic", "Nordic", "Sturdy",
                                                      "Slim",    "Rustic",  "Modern", "Folding",
                                                      "Quiet",   "Everyday"};
constexpr std::array<std::string_view, 8> materials{"Oak",   "Steel", "Bamboo", "Copper",
                                                    "Linen", "Glass", "Walnut", "Ceramic"};

/// Numbers that are the same everywhere: the standard fixes this engine, but no distribution.
class dice {
public:
    /// From 0 to below `sides`.
    std::size_t roll(std::size_t sides) { return engine_() % sides; }

    template<std::size_t N>
    std::string_view pick(const std::array<std::string_view, N>& from) {
        return from[roll(N)];
    }

private:
    std::mt19937 engine_{20260101};
};

struct priced_product {
    std::int64_t id;
    std::int64_t price_cents;
};

std::vector<priced_product> add_products(connection& connection, dice& random) {
    std::vector<priced_product> products;
    for (const category_seed& category : categories) {
        connection.execute("INSERT INTO categories (slug) VALUES (?)", category.slug);
        const std::int64_t category_id = connection.last_insert_id();
        for (std::int64_t i = 0; i < products_per_category; ++i) {
            std::string name{random.pick(adjectives)};
            name += ' ';
            name += random.pick(materials);
            name += ' ';
            name += random.pick(category.nouns);
            const auto price = static_cast<std::int64_t>(499 + 100 * random.roll(300));
            const auto stock = static_cast<std::int64_t>(random.roll(500));
            connection.execute("INSERT INTO products (category_id, name, description, price_cents, "
                               "stock) VALUES (?, ?, ?, ?, ?)",
                               category_id, name, name + ", made to last. Two years of warranty.",
                               price, stock);
            products.push_back({connection.last_insert_id(), price});
        }
    }
    return products;
}

std::string day_of_2025(std::size_t day) {
    constexpr std::array<std::size_t, 12> lengths{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    std::size_t month = 0;
    while (day >= lengths[month]) {
        day -= lengths[month++];
    }
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "2025-%02zu-%02zu", month + 1, day + 1);
    return text.data();
}

void add_orders(connection& connection, dice& random, const std::vector<priced_product>& products) {
    for (std::int64_t order = 1; order <= order_count; ++order) {
        connection.execute("INSERT INTO orders (id, placed_on) VALUES (?, ?)", order,
                           day_of_2025(random.roll(365)));
        std::set<std::size_t> chosen;
        for (std::size_t line = 1 + random.roll(6); line > 0; --line) {
            // The smaller of two rolls: some products sell better than others.
            chosen.insert(std::min(random.roll(products.size()), random.roll(products.size())));
        }
        for (const std::size_t which : chosen) {
            connection.execute("INSERT INTO order_lines (order_id, product_id, quantity, "
                               "unit_price_cents) VALUES (?, ?, ?, ?)",
                               order, products[which].id,
                               static_cast<std::int64_t>(1 + random.roll(4)),
                               products[which].price_cents);
        }
    }
}

std::int64_t version_of(connection& connection) {
    rows found = connection.query("PRAGMA user_version");
    return found.next() ? found.integer(0) : 0;
}

} // namespace

bool prepare(database& database) {
    const database::loan connection = database.borrow();
    transaction writing{*connection, transaction::kind::write};
    const std::int64_t version = version_of(*connection);
    if (version == schema_version) {
        return false;
    }
    if (version != 0) {
        throw std::runtime_error{"the database has version " + std::to_string(version) +
                                 " of the tables; this program knows version " +
                                 std::to_string(schema_version)};
    }
    connection->run_script(schema);
    dice random;
    add_orders(*connection, random, add_products(*connection, random));
    connection->run_script(("PRAGMA user_version = " + std::to_string(schema_version)).c_str());
    writing.commit();
    connection->run_script("ANALYZE");
    return true;
}

} // namespace shop
