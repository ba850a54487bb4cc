#ifndef PRODUCT_SERVICE_CACHED_SHOP_HPP
#define PRODUCT_SERVICE_CACHED_SHOP_HPP

/// The catalog behind caches. All that the service does with weir::cache is in this file and the
/// next one: what is kept, under which keys, for how long, and what each change invalidates.

#include "json.hpp" // how values are spelt where they leave the process
#include "model.hpp"
#include "settings.hpp"

#include <weir/json.hpp>
#include <weir/weir.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shop {

class catalog;

/// Every function may be called from many threads at once, and passes on what the catalog throws,
/// unless there is an old answer within its grace.
class cached_shop {
public:
    /// `catalog` must outlive the shop. Any storage backend of weir serves.
    template<class Backend>
    cached_shop(const Backend& backend, catalog& catalog, const cache_settings& settings)
        : catalog_{catalog},
          products_{backend, "product", options(settings.product_ttl, 10'000, settings)},
          pages_{backend, "product_page", options(settings.list_ttl, 1'000, settings)},
          reports_{backend, "sales_report", options(settings.report_ttl, 1, settings)},
          carts_{backend, "cart", options(settings.cart_ttl, 10'000, settings)} {}

    // Reading. A null answer means that there is no such product or category.

    weir::cached<product> find_product(std::int64_t id);
    weir::cached<product_page> list_products(const page_request& wanted);
    weir::cached<sales_report> report();
    weir::cached<cart> find_cart(std::string_view user);

    // Changing: as the functions of the catalog; afterwards no reader sees what was. If the caches
    // cannot be reached the change is made all the same, and they are emptied before the next one who
    // can reach them reads.

    product add_product(const product_draft& draft);
    std::optional<product> update_product(std::int64_t id, const product_draft& draft);
    bool remove_product(std::int64_t id);
    bool put_in_cart(std::string_view user, const cart_item& item);
    bool remove_from_cart(std::string_view user, std::int64_t product_id);
    void empty_cart(std::string_view user);

    struct statistics {
        weir::cache_stats products, pages, reports, carts;
    };
    [[nodiscard]] statistics stats() const;

private:
    /// At most `capacity` entries, so that no flood of keys fills the memory.
    static weir::cache_options options(std::chrono::nanoseconds ttl, std::size_t capacity,
                                       const cache_settings& settings) {
        return {.ttl = ttl,
                .grace = settings.grace,
                .jitter = ttl / 10,
                .negative_ttl = settings.missing_ttl,
                .capacity = capacity};
    }

    template<class Invalidate>
    void forget(const Invalidate& invalidate);
    void forget_pages(std::string_view category);
    void catch_up();

    catalog& catalog_;
    /// Some of what the caches hold may have changed since.
    std::atomic<bool> behind_{false};
    weir::cache<product> products_;
    weir::cache<product_page> pages_;
    weir::cache<sales_report> reports_;
    weir::cache<cart> carts_;
};

} // namespace shop

#endif
