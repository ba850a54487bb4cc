#ifndef WEIR_CONTRACT_SAMPLE_HPP
#define WEIR_CONTRACT_SAMPLE_HPP

/// Values to test stores with: `sample<V>` makes a V from a number and finds the number again.

#include <charconv>
#include <concepts>
#include <string>
#include <system_error>

namespace weir::contract {

/// Specialise it to run the values suite with a type of your own:
///
/// | expression           | result | guarantee                                        |
/// |----------------------|--------|--------------------------------------------------|
/// | sample<V>::make(n)   | V      | different for different n >= 0                   |
/// | sample<V>::number(v) | int    | the n that v was made from; -1 if v is no sample |
///
/// The primary template is not defined on purpose.
template<class V>
struct sample;

template<>
struct sample<std::string> {
    [[nodiscard]] static std::string make(int n) { return "value " + std::to_string(n); }

    [[nodiscard]] static int number(const std::string& value) {
        int n = -1;
        if (value.starts_with("value ")) {
            std::from_chars(value.data() + 6, value.data() + value.size(), n);
        }
        return n >= 0 && value == make(n) ? n : -1;
    }
};

template<std::integral V>
struct sample<V> {
    [[nodiscard]] static V make(int n) { return static_cast<V>(n); }
    [[nodiscard]] static int number(const V& value) { return static_cast<int>(value); }
};

/// A value that can be moved and not copied, for stores of native objects.
class ticket {
public:
    explicit ticket(int number) : number_{number} {}
    ticket(ticket&&) = default;
    ticket& operator=(ticket&&) = default;

    [[nodiscard]] int number() const noexcept { return number_; }

private:
    int number_;
};

template<>
struct sample<ticket> {
    [[nodiscard]] static ticket make(int n) { return ticket{n}; }
    [[nodiscard]] static int number(const ticket& value) { return value.number(); }
};

} // namespace weir::contract

#endif
