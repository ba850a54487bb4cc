#ifndef PRODUCT_SERVICE_MODEL_HPP
#define PRODUCT_SERVICE_MODEL_HPP

/// What the service is about: products, pages of them, a report, carts.

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace shop {

/// What a client sends to create or replace a product.
struct product_draft {
    std::string name;
    /// The slug of a category, such as `garden-tools`.
    std::string category;
    std::string description;
    std::int64_t price_cents = 0;
    std::int64_t stock = 0;

    friend bool operator==(const product_draft&, const product_draft&) = default;
};

struct product : product_draft {
    std::int64_t id = 0;
};

/// A product as lists and searches show it: without its description.
struct product_row {
    std::int64_t id = 0;
    std::string name;
    std::string category;
    std::int64_t price_cents = 0;
    std::int64_t stock = 0;
};

struct page_request {
    /// A slug, or nothing for all categories.
    std::optional<std::string> category;
    std::int64_t page = 1;
    std::int64_t per_page = 20;
};

struct product_page {
    std::vector<product_row> items;
    std::int64_t page = 1;
    std::int64_t per_page = 20;
    std::int64_t total = 0;
};

struct cart_item {
    std::int64_t product_id = 0;
    std::int64_t quantity = 0;
};

struct cart {
    std::vector<cart_item> items;
};

struct category_sales {
    std::string category;
    std::int64_t orders = 0;
    std::int64_t units = 0;
    std::int64_t revenue_cents = 0;
    /// What is in stock, at today's prices.
    std::int64_t stock_value_cents = 0;
};

struct month_sales {
    std::string month;
    std::int64_t orders = 0;
    std::int64_t revenue_cents = 0;
};

struct bestseller {
    std::int64_t product_id = 0;
    std::string name;
    std::int64_t units = 0;
    std::int64_t revenue_cents = 0;
};

/// Two products that are often in one order.
struct product_pair {
    std::string first;
    std::string second;
    std::int64_t orders = 0;
};

struct sales_report {
    std::vector<category_sales> categories;
    std::vector<month_sales> months;
    std::vector<bestseller> bestsellers;
    std::vector<product_pair> bought_together;
};

/// A request that makes no sense whatever the database holds: HTTP 400.
struct bad_request : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A request that the present content of the database does not allow: HTTP 409.
struct conflict : std::runtime_error {
    using std::runtime_error::runtime_error;
};

} // namespace shop

#endif
