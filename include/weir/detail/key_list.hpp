#ifndef WEIR_DETAIL_KEY_LIST_HPP
#define WEIR_DETAIL_KEY_LIST_HPP

#include <weir/key.hpp>

#include <algorithm>
#include <concepts>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::detail {

/// Something with a beginning and an end whose elements are keys.
template<class R>
concept key_range = requires(R& range) {
    std::end(range);
    requires std::input_iterator<decltype(std::begin(range))>;
    requires std::convertible_to<decltype(*std::begin(range)), key_view>;
};

/// The keys of a range as views, which stay valid as long as this and the range do.
class key_list {
public:
    template<key_range R>
    explicit key_list(R& range) {
        using iterator = decltype(std::begin(range));
        using element = decltype(*std::declval<iterator&>());
        // A string that the range makes when it is asked, or reuses, has to be kept here. What
        // stays where it is, and views and integers, which are copied, need not.
        constexpr bool stays = std::forward_iterator<iterator> &&
                               (std::is_lvalue_reference_v<element> ||
                                std::is_trivially_copyable_v<std::remove_cvref_t<element>>);
        for (auto&& key : range) {
            if constexpr (stays) {
                keys_.emplace_back(key);
            } else {
                texts_.emplace_back(key_view{key}.bytes());
            }
        }
        views_.reserve(keys_.size() + texts_.size());
        for (const key_view& key : keys_) {
            views_.push_back(key.bytes());
        }
        views_.insert(views_.end(), texts_.begin(), texts_.end());
    }
    key_list(const key_list&) = delete; // the views look into this object
    key_list& operator=(const key_list&) = delete;

    [[nodiscard]] std::span<const std::string_view> views() const noexcept { return views_; }

private:
    std::vector<key_view> keys_;
    std::vector<std::string> texts_;
    std::vector<std::string_view> views_;
};

} // namespace weir::detail

#endif
