/// What each route does, once the request has passed the limits.

#include "answers.hpp"
#include "http_api.hpp"

#include <charconv>
#include <system_error>

namespace shop {

namespace {

constexpr std::int64_t max_search_results = 20;

/// A product that does not exist can be known from the cache, too.
template<class Value>
void show_cache_status(httplib::Response& response, const weir::cached<Value>& answer) {
    const bool stale = answer.status() == weir::cache_status::stale;
    response.set_header("X-Cache", stale ? "stale" : answer.from_store() ? "hit" : "miss");
}

void send_missing(httplib::Response& response, const std::string& detail) {
    send_problem(response, 404, "Not Found", detail);
}

std::int64_t read_integer(std::string_view text, const std::string& name, std::int64_t least,
                          std::int64_t most) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || rest != end || number < least || number > most) {
        throw bad_request{"\"" + name + "\" must be an integer from " + std::to_string(least) +
                          " to " + std::to_string(most)};
    }
    return number;
}

std::int64_t read_id(const std::string& text) {
    return read_integer(text, "product id", 1, std::int64_t{1} << 53);
}

std::int64_t read_parameter(const httplib::Request& request, const std::string& name,
                            std::int64_t otherwise, std::int64_t most) {
    return request.has_param(name) ? read_integer(request.get_param_value(name), name, 1, most)
                                   : otherwise;
}

std::string read_slug(const std::string& text) {
    constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
    if (text.empty() || text.size() > 64 || text.find_first_not_of(allowed) != std::string::npos) {
        throw bad_request{"\"category\" must be 1 to 64 characters of [a-z0-9-]"};
    }
    return text;
}

std::string no_such_product(std::int64_t id) {
    return "there is no product " + std::to_string(id);
}

json to_json(const weir::cache_stats& stats, const backend_report& backend) {
    json shown = {{"hits", stats.hits},
                  {"misses", stats.misses},
                  {"waits", stats.waits},
                  {"computations", stats.computations},
                  {"failures", stats.failures},
                  {"not_stored", stats.not_stored},
                  {"stale_served", stats.stale_served}};
    if (backend.counts_entries) {
        shown.update({{"entries", stats.store.entries},
                      {"bytes", stats.store.bytes},
                      {"evictions", stats.store.evictions},
                      {"expirations", stats.store.expirations}});
    } else {
        shown.update(
            {{"backend_errors", stats.backend_errors}, {"undecodable", stats.store.undecodable}});
    }
    return shown;
}

} // namespace

// ---- products --------------------------------------------------------------------------------

void http_api::search(const call& asked, httplib::Response& response) {
    const std::string text = asked.request.get_param_value("q");
    if (text.empty() || text.size() > 100 || text.find('\0') != std::string::npos) {
        throw bad_request{"\"q\" must be 1 to 100 bytes of text"};
    }
    send(response, 200, {{"query", text}, {"items", catalog_.search(text, max_search_results)}});
}

void http_api::list_products(const call& asked, httplib::Response& response) {
    page_request wanted;
    wanted.page = read_parameter(asked.request, "page", wanted.page, 10'000);
    wanted.per_page = read_parameter(asked.request, "per_page", wanted.per_page, 100);
    if (asked.request.has_param("category")) {
        wanted.category = read_slug(asked.request.get_param_value("category"));
    }
    const weir::cached<product_page> page = shop_.list_products(wanted);
    show_cache_status(response, page);
    if (!page) {
        return send_missing(response, "there is no category \"" + *wanted.category + "\"");
    }
    send(response, 200, *page);
}

void http_api::get_product(const call& asked, httplib::Response& response) {
    const std::int64_t id = read_id(asked.argument);
    const weir::cached<product> found = shop_.find_product(id);
    show_cache_status(response, found);
    if (!found) {
        return send_missing(response, no_such_product(id));
    }
    send(response, 200, *found);
}

void http_api::add_product(const call& asked, httplib::Response& response) {
    const product added = shop_.add_product(read_product(asked.request.body));
    response.set_header("Location", "/products/" + std::to_string(added.id));
    send(response, 201, added);
}

void http_api::replace_product(const call& asked, httplib::Response& response) {
    const std::int64_t id = read_id(asked.argument);
    const auto updated = shop_.update_product(id, read_product(asked.request.body));
    if (!updated) {
        return send_missing(response, no_such_product(id));
    }
    send(response, 200, *updated);
}

void http_api::remove_product(const call& asked, httplib::Response& response) {
    const std::int64_t id = read_id(asked.argument);
    if (!shop_.remove_product(id)) {
        return send_missing(response, no_such_product(id));
    }
    response.status = 204;
}

void http_api::sales_report(const call&, httplib::Response& response) {
    const weir::cached<shop::sales_report> report = shop_.report();
    show_cache_status(response, report);
    send(response, 200, *report);
}

// ---- carts -----------------------------------------------------------------------------------

void http_api::get_cart(const call& asked, httplib::Response& response) {
    const weir::cached<cart> cart = shop_.find_cart(asked.who.id);
    show_cache_status(response, cart);
    // The cart holds ids; names and prices come from the products' cache, so that a new price shows
    // in every cart at once.
    json items = json::array();
    std::int64_t total = 0;
    for (const cart_item& item : cart->items) {
        if (const weir::cached<product> product = shop_.find_product(item.product_id)) {
            items.push_back({{"product_id", item.product_id},
                             {"name", product->name},
                             {"price_cents", product->price_cents},
                             {"quantity", item.quantity}});
            total += product->price_cents * item.quantity;
        }
    }
    send(response, 200, {{"user", asked.who.id}, {"items", items}, {"total_cents", total}});
}

void http_api::put_in_cart(const call& asked, httplib::Response& response) {
    const std::int64_t id = read_id(asked.argument);
    if (!shop_.put_in_cart(asked.who.id, {id, read_quantity(asked.request.body)})) {
        return send_missing(response, no_such_product(id));
    }
    get_cart(asked, response);
}

void http_api::remove_from_cart(const call& asked, httplib::Response& response) {
    const std::int64_t id = read_id(asked.argument);
    if (!shop_.remove_from_cart(asked.who.id, id)) {
        return send_missing(response, "product " + std::to_string(id) + " is not in the cart");
    }
    response.status = 204;
}

void http_api::empty_cart(const call& asked, httplib::Response& response) {
    shop_.empty_cart(asked.who.id);
    response.status = 204;
}

// ---- operation -------------------------------------------------------------------------------

void http_api::stats(const call&, httplib::Response& response) {
    const cached_shop::statistics caches = shop_.stats();
    const backend_report backend = backend_();
    json shown = {{"requests", {{"in_progress", in_progress_.load()}}}};
    shown.update(backend.stats);
    shown["caches"] = {{"product", to_json(caches.products, backend)},
                       {"product_page", to_json(caches.pages, backend)},
                       {"sales_report", to_json(caches.reports, backend)},
                       {"cart", to_json(caches.carts, backend)}};
    send(response, 200, shown);
}

void http_api::health(const call&, httplib::Response& response) {
    catalog_.check();
    // Without its backend the service still answers: no reason to take it out of service.
    if (const std::string trouble = backend_().trouble; !trouble.empty()) {
        return send(response, 200, {{"status", "degraded"}, {"detail", trouble}});
    }
    send(response, 200, {{"status", "ok"}});
}

} // namespace shop
