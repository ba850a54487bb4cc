#ifndef PRODUCT_SERVICE_HTTP_API_HPP
#define PRODUCT_SERVICE_HTTP_API_HPP

/// The service in HTTP: routes, who asks, what a request must look like, what an answer looks like.

#include "backend_report.hpp"
#include "cached_shop.hpp"
#include "catalog.hpp"
#include "json.hpp"
#include "limits.hpp"
#include "settings.hpp"

#include <httplib.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace shop {

class http_api {
public:
    /// `backend` reports on the storage backend. All arguments must outlive the object.
    http_api(const settings& settings, const limits& limits, const catalog& catalog,
             cached_shop& shop, std::function<backend_report()> backend);

    /// Makes `server` answer with this; the object must outlive the server.
    void serve_on(httplib::Server& server);

private:
    /// A request that has passed the limits.
    struct call {
        const httplib::Request& request;
        const client& who;
        /// The part of the path that `{}` stands for in the route.
        std::string argument;
    };

    /// Which limit a route falls under.
    enum class limited { by_tier, as_search, not_at_all };

    struct route {
        std::string_view method;
        /// `{}` stands for one part of the path.
        std::string_view path;
        limited how;
        tier least;
        void (http_api::*handler)(const call&, httplib::Response&);
    };

    static const std::vector<route>& routes();

    bool admit(const policy& policy, const client& who, httplib::Response& response);
    void handle(const httplib::Request& request, httplib::Response& response);
    void answer(const httplib::Request& request, httplib::Response& response);

    void search(const call&, httplib::Response&);
    void list_products(const call&, httplib::Response&);
    void get_product(const call&, httplib::Response&);
    void add_product(const call&, httplib::Response&);
    void replace_product(const call&, httplib::Response&);
    void remove_product(const call&, httplib::Response&);
    void sales_report(const call&, httplib::Response&);
    void get_cart(const call&, httplib::Response&);
    void put_in_cart(const call&, httplib::Response&);
    void remove_from_cart(const call&, httplib::Response&);
    void empty_cart(const call&, httplib::Response&);
    void stats(const call&, httplib::Response&);
    void health(const call&, httplib::Response&);

    /// Nothing if the request has an `Authorization` that the service does not know.
    [[nodiscard]] std::optional<client> identify(const httplib::Request& request) const;

    const settings& settings_;
    const limits& limits_;
    const catalog& catalog_;
    cached_shop& shop_;
    std::function<backend_report()> backend_;
    std::atomic<int> in_progress_{0};
    /// Whether the last request that was limited could be counted.
    std::atomic<bool> counting_{true};
};

} // namespace shop

#endif
