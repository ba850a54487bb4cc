#ifndef PRODUCT_SERVICE_CATALOG_HPP
#define PRODUCT_SERVICE_CATALOG_HPP

/// The database of the shop, in the shop's words. Knows SQL; knows neither caches nor HTTP.

#include "model.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

class database;

/// Every function may be called from many threads at once, and throws database_error.
class catalog {
public:
    struct change {
        product before;
        product after;
    };
    struct removal {
        product removed;
        /// The users in whose carts it was; it is no longer.
        std::vector<std::string> carts;
    };

    /// `database` must outlive the catalog.
    explicit catalog(database& database) : database_{database} {}

    [[nodiscard]] std::optional<product> find_product(std::int64_t id) const;
    /// Nothing if there is no such category.
    [[nodiscard]] std::optional<product_page> list_products(const page_request& wanted) const;
    /// Products with `text` in their names, at most `limit`.
    [[nodiscard]] std::vector<product_row> search(std::string_view text, std::int64_t limit) const;
    /// Goes through every order line several times: slow.
    [[nodiscard]] sales_report report() const;

    /// Throws bad_request if there is no such category, as does `update_product`.
    product add_product(const product_draft& draft);
    /// Nothing if there is no such product.
    std::optional<change> update_product(std::int64_t id, const product_draft& draft);
    /// Nothing if there is no such product. Throws conflict if it was ever sold.
    std::optional<removal> remove_product(std::int64_t id);

    [[nodiscard]] cart find_cart(std::string_view user) const;
    /// False if there is no such product. Throws conflict if the cart is full.
    bool put_in_cart(std::string_view user, const cart_item& item);
    /// False if it was not in the cart.
    bool remove_from_cart(std::string_view user, std::int64_t product_id);
    void empty_cart(std::string_view user);

    /// Throws unless the database can be read.
    void check() const;

private:
    database& database_;
};

} // namespace shop

#endif
