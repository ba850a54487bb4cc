#include "json.hpp"

#include <algorithm>
#include <initializer_list>

namespace shop {

namespace {

constexpr std::int64_t max_price_cents = 100'000'000;
constexpr std::int64_t max_stock = 1'000'000;
constexpr std::int64_t max_quantity = 99;

json parse_object(std::string_view body, std::initializer_list<std::string_view> members) {
    json value = json::parse(body, nullptr, false);
    if (value.is_discarded()) {
        throw bad_request{"the body is not valid JSON in UTF-8"};
    }
    if (!value.is_object()) {
        throw bad_request{"the body must be a JSON object"};
    }
    for (const auto& member : value.items()) {
        if (std::find(members.begin(), members.end(), member.key()) == members.end()) {
            throw bad_request{"unknown member \"" + member.key() + "\""};
        }
    }
    return value;
}

const json& member(const json& object, const std::string& name) {
    const auto found = object.find(name);
    if (found == object.end()) {
        throw bad_request{"the member \"" + name + "\" is missing"};
    }
    return *found;
}

std::string read_text(const json& object, const std::string& name, std::size_t least,
                      std::size_t most) {
    const json& value = member(object, name);
    const std::string range = "\"" + name + "\" must be a string of " + std::to_string(least) +
                              " to " + std::to_string(most) + " bytes without control characters";
    if (!value.is_string()) {
        throw bad_request{range};
    }
    const auto& text = value.get_ref<const std::string&>();
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    };
    if (text.size() < least || text.size() > most ||
        std::any_of(text.begin(), text.end(), is_control)) {
        throw bad_request{range};
    }
    return text;
}

std::int64_t read_integer(const json& object, const std::string& name, std::int64_t least,
                          std::int64_t most) {
    const json& value = member(object, name);
    // An unsigned number above 2^63 - 1 would come out negative, and is out of range as well.
    if (value.is_number_integer()) {
        const auto number = value.get<std::int64_t>();
        if (number >= least && number <= most) {
            return number;
        }
    }
    throw bad_request{"\"" + name + "\" must be an integer from " + std::to_string(least) + " to " +
                      std::to_string(most)};
}

} // namespace

std::string to_text(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

product_draft read_product(std::string_view body) {
    const json object =
        parse_object(body, {"name", "category", "description", "price_cents", "stock"});
    return {.name = read_text(object, "name", 1, 200),
            .category = read_text(object, "category", 1, 64),
            .description = read_text(object, "description", 0, 2000),
            .price_cents = read_integer(object, "price_cents", 0, max_price_cents),
            .stock = read_integer(object, "stock", 0, max_stock)};
}

std::int64_t read_quantity(std::string_view body) {
    return read_integer(parse_object(body, {"quantity"}), "quantity", 1, max_quantity);
}

} // namespace shop
