#include "cached_shop.hpp"

#include "catalog.hpp"

#include <cstdio>
#include <string>
#include <system_error>
#include <tuple>

namespace shop {

namespace {

// There is one report, and one cart in each user's scope.
constexpr std::string_view the_report = "all";
constexpr std::string_view the_cart = "cart";

/// `all:<page>:<per page>`, or `in:<category>:<page>:<per page>`
std::string page_key(const page_request& wanted) {
    return wanted.category ? weir::make_key("in", *wanted.category, wanted.page, wanted.per_page)
                           : weir::make_key("all", wanted.page, wanted.per_page);
}

/// Lists and the report show all of a product but its description.
bool looks_the_same_in_lists(const product& a, const product& b) {
    const auto shown = [](const product& p) {
        return std::tie(p.name, p.category, p.price_cents, p.stock);
    };
    return shown(a) == shown(b);
}

} // namespace

weir::cached<product> cached_shop::find_product(std::int64_t id) {
    catch_up();
    // The catalog answers with an optional: that there is no such product is remembered, too.
    return products_.get_or_compute(id, [&] { return catalog_.find_product(id); });
}

weir::cached<product_page> cached_shop::list_products(const page_request& wanted) {
    catch_up();
    return pages_.get_or_compute(page_key(wanted), [&] { return catalog_.list_products(wanted); });
}

weir::cached<sales_report> cached_shop::report() {
    catch_up();
    // However many ask for it while it is being computed, the database computes it once.
    return reports_.get_or_compute(the_report, [&] { return catalog_.report(); });
}

weir::cached<cart> cached_shop::find_cart(std::string_view user) {
    catch_up();
    // A scope of their own for each user: no key can reach into another user's.
    return carts_.scoped(user).get_or_compute(the_cart, [&] { return catalog_.find_cart(user); });
}

// Always first the database, then the caches. A reader who fetched the old value in between cannot
// put it back: weir does not keep what began to be computed before an invalidation.

template<class Invalidate>
void cached_shop::forget(const Invalidate& invalidate) {
    try {
        invalidate();
    } catch (const std::system_error& error) {
        // Too late to refuse the change. Other instances may show what was until this one has caught
        // up, and should it end before that, until the entries end by themselves.
        std::fprintf(stderr, "product_service: a change did not reach the caches: %s\n",
                     error.what());
        behind_ = true;
    }
}

void cached_shop::catch_up() {
    if (!behind_ || !behind_.exchange(false)) {
        return;
    }
    try {
        products_.clear();
        pages_.clear();
        reports_.clear();
        carts_.clear();
    } catch (const std::system_error&) {
        behind_ = true; // not yet
    }
}

product cached_shop::add_product(const product_draft& draft) {
    product added = catalog_.add_product(draft);
    forget([&] {
        products_.invalidate(added.id); // It may be remembered as missing.
        forget_pages(added.category);
        reports_.invalidate(the_report);
    });
    return added;
}

std::optional<product> cached_shop::update_product(std::int64_t id, const product_draft& draft) {
    const auto change = catalog_.update_product(id, draft);
    if (!change) {
        return std::nullopt;
    }
    forget([&] {
        products_.invalidate(id);
        if (!looks_the_same_in_lists(change->before, change->after)) {
            forget_pages(change->before.category);
            if (change->after.category != change->before.category) {
                forget_pages(change->after.category);
            }
            reports_.invalidate(the_report);
        }
    });
    return change->after;
}

bool cached_shop::remove_product(std::int64_t id) {
    const auto removal = catalog_.remove_product(id);
    if (!removal) {
        return false;
    }
    forget([&] {
        products_.invalidate(id);
        forget_pages(removal->removed.category);
        reports_.invalidate(the_report);
        for (const std::string& user : removal->carts) {
            carts_.scoped(user).invalidate(the_cart);
        }
    });
    return true;
}

bool cached_shop::put_in_cart(std::string_view user, const cart_item& item) {
    const bool done = catalog_.put_in_cart(user, item);
    forget([&] { carts_.scoped(user).invalidate(the_cart); });
    return done;
}

bool cached_shop::remove_from_cart(std::string_view user, std::int64_t product_id) {
    const bool done = catalog_.remove_from_cart(user, product_id);
    forget([&] { carts_.scoped(user).invalidate(the_cart); });
    return done;
}

void cached_shop::empty_cart(std::string_view user) {
    catalog_.empty_cart(user);
    forget([&] { carts_.scoped(user).invalidate(the_cart); });
}

void cached_shop::forget_pages(std::string_view category) {
    // Every page of the category, and every page of all products. Slugs hold no `*`, `?`, `[` or `\`.
    pages_.invalidate_matching(weir::make_key("in", category) + ":*");
    pages_.invalidate_matching("all:*");
}

cached_shop::statistics cached_shop::stats() const {
    return {.products = products_.stats(),
            .pages = pages_.stats(),
            .reports = reports_.stats(),
            .carts = carts_.stats()};
}

} // namespace shop
