#ifndef PRODUCT_SERVICE_JSON_HPP
#define PRODUCT_SERVICE_JSON_HPP

/// The shop's types as JSON, for answers and for caches in Redis; and how strictly requests are read.

#include "model.hpp"

#include <nlohmann/json.hpp>

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

namespace shop {

/// Keeps members in the order in which they were written.
using json = nlohmann::ordered_json;

/// Members with their names in JSON, in the order in which they are written.
template<class... Members>
struct member_list {
    constexpr member_list(std::pair<const char*, Members>... members) : all{members...} {}

    std::tuple<std::pair<const char*, Members>...> all;
};

template<class T>
inline constexpr member_list members_of{};

template<>
inline constexpr member_list members_of<product>{
    std::pair{"id", &product::id},
    std::pair{"name", &product::name},
    std::pair{"category", &product::category},
    std::pair{"description", &product::description},
    std::pair{"price_cents", &product::price_cents},
    std::pair{"stock", &product::stock},
};

template<>
inline constexpr member_list members_of<product_row>{
    std::pair{"id", &product_row::id},
    std::pair{"name", &product_row::name},
    std::pair{"category", &product_row::category},
    std::pair{"price_cents", &product_row::price_cents},
    std::pair{"stock", &product_row::stock},
};

template<>
inline constexpr member_list members_of<product_page>{
    std::pair{"page", &product_page::page},
    std::pair{"per_page", &product_page::per_page},
    std::pair{"total", &product_page::total},
    std::pair{"items", &product_page::items},
};

template<>
inline constexpr member_list members_of<cart_item>{
    std::pair{"product_id", &cart_item::product_id},
    std::pair{"quantity", &cart_item::quantity},
};

template<>
inline constexpr member_list members_of<cart>{
    std::pair{"items", &cart::items},
};

template<>
inline constexpr member_list members_of<category_sales>{
    std::pair{"category", &category_sales::category},
    std::pair{"orders", &category_sales::orders},
    std::pair{"units", &category_sales::units},
    std::pair{"revenue_cents", &category_sales::revenue_cents},
    std::pair{"stock_value_cents", &category_sales::stock_value_cents},
};

template<>
inline constexpr member_list members_of<month_sales>{
    std::pair{"month", &month_sales::month},
    std::pair{"orders", &month_sales::orders},
    std::pair{"revenue_cents", &month_sales::revenue_cents},
};

template<>
inline constexpr member_list members_of<bestseller>{
    std::pair{"product_id", &bestseller::product_id},
    std::pair{"name", &bestseller::name},
    std::pair{"units", &bestseller::units},
    std::pair{"revenue_cents", &bestseller::revenue_cents},
};

template<>
inline constexpr member_list members_of<product_pair>{
    std::pair{"first", &product_pair::first},
    std::pair{"second", &product_pair::second},
    std::pair{"orders", &product_pair::orders},
};

template<>
inline constexpr member_list members_of<sales_report>{
    std::pair{"categories", &sales_report::categories},
    std::pair{"months", &sales_report::months},
    std::pair{"bestsellers", &sales_report::bestsellers},
    std::pair{"bought_together", &sales_report::bought_together},
};

template<class T>
concept has_members = !std::same_as<decltype(members_of<T>), const member_list<>>;

// What nlohmann's library asks for, for every kind of JSON that it has: answers are made of `json`,
// <weir/json.hpp> stores nlohmann::json.

template<class Json, has_members T>
void to_json(Json& out, const T& value) {
    out = Json::object();
    std::apply([&](const auto&... member) { ((out[member.first] = value.*member.second), ...); },
               members_of<T>.all);
}

/// Throws nlohmann's exceptions if a member is missing or is of another type.
template<class Json, has_members T>
void from_json(const Json& in, T& value) {
    std::apply(
        [&](const auto&... member) { (in.at(member.first).get_to(value.*member.second), ...); },
        members_of<T>.all);
}

/// Never throws for bytes that are not UTF-8: they become U+FFFD.
[[nodiscard]] std::string to_text(const json& value);

/// Reads the body of a request: an object with exactly the known members, each of its type and in
/// its range. Throws bad_request, saying what is wrong and what was expected.
[[nodiscard]] product_draft read_product(std::string_view body);
/// Reads `{"quantity": n}`, 1 <= n <= 99.
[[nodiscard]] std::int64_t read_quantity(std::string_view body);

} // namespace shop

#endif
