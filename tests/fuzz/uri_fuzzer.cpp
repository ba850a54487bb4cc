// The parser of Redis URIs, given any text: it answers an address that can be used, or throws one
// sentence that does not hold the password.
#include <weir/redis/uri.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using weir::detail::parse_redis_uri;
using weir::detail::redis_address;

void require(bool holds) {
    if (!holds) {
        std::abort();
    }
}

/// What the parser says of a URI that it refuses; empty if it accepts it.
std::string refusal(std::string_view uri) {
    try {
        const redis_address address = parse_redis_uri(uri);
        require(address.host.empty() != address.path.empty());
        require(address.host.size() <= 253 && address.path.size() <= 107);
        require(address.path.empty() || address.path.front() == '/');
        require(address.path.find('\0') == std::string::npos);
        require(address.port != 0 && address.db >= 0);
        return {};
    } catch (const std::invalid_argument& refused) {
        const std::string sentence = refused.what();
        require(sentence.starts_with("weir: Redis URI: "));
        return sentence;
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string uri{reinterpret_cast<const char*>(data), size};
    refusal(uri);

    // The same with a password that can be recognised, encoded and not, in the place of what a
    // reader would take for the password.
    const std::size_t scheme = uri.find("://");
    const std::size_t at = uri.rfind('@');
    if (scheme == std::string::npos || at == std::string::npos || at < scheme + 3 ||
        uri.find("qZj") != std::string::npos) {
        return 0;
    }
    const std::size_t colon = uri.find(':', scheme + 3);
    const std::size_t begin = colon < at ? colon + 1 : scheme + 3;
    for (const char* const password :
         {"qZj", "qZj/qZj", "1?qZj=1&qZj", "#qZj", "@qZj:", "%qZj", "%41qZj"}) {
        std::string with_password = uri;
        with_password.replace(begin, at - begin, password);
        require(refusal(with_password).find("qZj") == std::string::npos);
    }
    return 0;
}
