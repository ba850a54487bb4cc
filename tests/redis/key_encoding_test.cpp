#include <weir/redis/key_encoding.hpp>

#include <weir/contract/suite.hpp>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace {

using weir::contract::awkward_keys;
using weir::contract::shown;
using weir::detail::decode_key;
using weir::detail::decoded_key;
using weir::detail::sha256;
using weir::detail::to_hex;
using namespace std::string_literals;
using namespace std::string_view_literals;

std::string encoded(std::string_view key) {
    std::string out;
    weir::detail::append_encoded_key(out, key);
    return out;
}

/// The key that an encoding stands for, if it stands for a whole one.
std::optional<std::string> decoded(std::string_view encoding) {
    const std::optional<decoded_key> key = decode_key(encoding);
    return key && !key->shortened ? std::optional{key->bytes} : std::nullopt;
}

TEST(key_encoding, readable_bytes_stay_as_they_are) {
    std::string readable;
    for (int byte = 0x21; byte < 0x100; ++byte) {
        if (byte != 0x7f && byte != '%' && byte != '{' && byte != '}') {
            readable += static_cast<char>(byte);
        }
    }
    EXPECT_EQ(encoded(readable), readable);
    EXPECT_EQ(encoded("ключ/42:ü"), "ключ/42:ü");
    EXPECT_EQ(encoded(""), "");
}

TEST(key_encoding, others_become_a_percent_sign_and_two_digits) {
    EXPECT_EQ(encoded("%{} "), "%25%7B%7D%20");
    EXPECT_EQ(encoded("\0\n\r\x1f\x7f"sv), "%00%0A%0D%1F%7F");
    EXPECT_EQ(encoded("a%7Bb"), "a%257Bb");
}

TEST(key_encoding, every_byte_decodes_back) {
    for (int byte = 0; byte < 0x100; ++byte) {
        const std::string key(1, static_cast<char>(byte));
        EXPECT_EQ(decoded(encoded(key)), key) << byte;
    }
}

TEST(key_encoding, any_key_decodes_back_or_is_longer_than_512_bytes) {
    const auto decodes_back = [](const std::string& key) {
        const std::optional<decoded_key> read = decode_key(encoded(key));
        RC_ASSERT(read.has_value());
        RC_ASSERT(read->shortened || read->bytes == key);
        RC_ASSERT(!read->shortened ||
                  (encoded(key).size() <= 512 && key.size() > 170 && key.starts_with(read->bytes)));
    };
    EXPECT_TRUE(rc::check("any bytes", decodes_back));
    EXPECT_TRUE(rc::check("about as long as the limit", [&decodes_back] {
        const auto byte =
            rc::gen::weightedElement<char>({{20, 'a'}, {1, '%'}, {1, '{'}, {1, '\0'}});
        const auto size = *rc::gen::inRange<std::size_t>(160, 560);
        decodes_back(*rc::gen::container<std::string>(size, byte));
    }));
}

TEST(key_encoding, different_keys_never_have_the_same_encoding) {
    std::map<std::string, std::string> owners;
    for (const std::string& key : awkward_keys()) {
        const auto [there, is_new] = owners.try_emplace(encoded(key), key);
        EXPECT_TRUE(is_new) << shown(key) << " and " << shown(there->second);
    }
    EXPECT_TRUE(rc::check("keys of what the encoding itself is made of", [] {
        const auto text = rc::gen::container<std::string>(rc::gen::elementOf("%~257BD{} a"s));
        const auto all = *rc::gen::container<std::vector<std::string>>(40, text);
        for (const std::string& a : all) {
            for (const std::string& b : all) {
                RC_ASSERT((encoded(a) == encoded(b)) == (a == b));
            }
        }
    }));
}

// ---- long keys -----------------------------------------------------------------------------

TEST(key_encoding, up_to_512_bytes_stand_for_the_whole_key) {
    const std::string longest(512, 'x');
    EXPECT_EQ(encoded(longest), longest);
    EXPECT_EQ(decoded(longest), longest);
    EXPECT_EQ(encoded(std::string(170, ' ') + "xx").size(), 512U);
    EXPECT_EQ(encoded(std::string(170, ' ') + "xx").find("%~"), std::string::npos);
}

TEST(key_encoding, a_longer_key_becomes_its_beginning_and_its_hash) {
    const std::string key(513, 'x');
    EXPECT_EQ(encoded(key), std::string(256, 'x') + "%~" + to_hex(sha256(key)));
    const std::string spaces(171, ' ');
    std::string beginning;
    for (int i = 0; i < 85; ++i) {
        beginning += "%20";
    }
    EXPECT_EQ(encoded(spaces), beginning + "%~" + to_hex(sha256(spaces)));
    EXPECT_EQ(decode_key(encoded(spaces)), (decoded_key{std::string(85, ' '), true}));
}

TEST(key_encoding, a_hash_is_of_the_whole_key) {
    std::string key(1'000, 'x');
    const std::string before = encoded(key);
    key.back() = 'y';
    EXPECT_NE(encoded(key), before);
    EXPECT_EQ(encoded(key).substr(0, 258), before.substr(0, 258));
}

TEST(key_encoding, a_key_that_looks_like_a_shortened_one_is_not_taken_for_it) {
    const std::string looks_so = encoded(std::string(600, 'x'));
    EXPECT_NE(encoded(looks_so), looks_so);
    EXPECT_EQ(decoded(encoded(looks_so)), looks_so);
}

// ---- what no key of ours is stored under ---------------------------------------------------

TEST(key_encoding, text_that_it_never_writes_is_not_decoded) {
    for (const std::string_view text :
         std::vector<std::string_view>{"%", "%2", "a%", "a%2", "%zz", "%2g", "%7b", "%41", "%C3",
                                       " ", "a b", "{", "}", "\n", "\0"sv, "\x7f", "%%25", "%~"}) {
        EXPECT_EQ(decode_key(text), std::nullopt) << text;
    }
    EXPECT_EQ(decode_key(std::string(513, 'x')), std::nullopt);
}

TEST(key_encoding, a_shortened_name_that_it_never_writes_is_not_decoded) {
    const std::string hash = to_hex(sha256(""));
    const std::string begin(256, 'x');
    EXPECT_TRUE(decode_key(begin + "%~" + hash));
    EXPECT_TRUE(decode_key(begin.substr(2) + "%~" + hash));
    EXPECT_FALSE(decode_key(begin.substr(3) + "%~" + hash));
    EXPECT_FALSE(decode_key(begin + "x%~" + hash));
    EXPECT_FALSE(decode_key(begin + "%~" + hash.substr(1)));
    EXPECT_FALSE(decode_key(begin + "%~" + hash + "0"));
    EXPECT_FALSE(decode_key(begin + "%~" + std::string(64, 'F')));
    EXPECT_FALSE(decode_key(begin.substr(1) + "%%~" + hash));
    EXPECT_FALSE(decode_key("%~" + hash));
}

TEST(key_encoding, what_is_decoded_is_exactly_what_is_written) {
    EXPECT_TRUE(rc::check([] {
        const auto piece = rc::gen::element("%"s, "~"s, "2"s, "5"s, "20"s, "7B"s, "7b"s, "a"s, " "s,
                                            "{"s, "%25"s, "%00"s);
        std::string text;
        for (const std::string& p : *rc::gen::container<std::vector<std::string>>(piece)) {
            text += p;
        }
        const std::optional<std::string> key = decoded(text);
        if (key) {
            RC_ASSERT(encoded(*key) == text);
        }
    }));
}

} // namespace
