#ifndef WEIR_WHEN_FULL_HPP
#define WEIR_WHEN_FULL_HPP

namespace weir {

/// What happens to a new key when every place that it could have is taken by a key in use.
enum class when_full {
    /// It takes the place of the least used key, which is forgotten, and starts with its full
    /// quota. Honest newcomers are never denied; keys in use may be admitted more than their limit.
    forgive,
    /// It takes the place of the least used key, and what that key had used. No key is admitted
    /// more than its limit, as long as all keys have windows of one length that are not spread, and
    /// nothing is given back or forgotten; newcomers may be denied.
    share,
};

} // namespace weir

#endif
