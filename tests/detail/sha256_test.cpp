#include <weir/detail/sha256.hpp>

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace {

using weir::detail::sha256;
using weir::detail::to_hex;
using namespace std::string_view_literals;

static_assert(sha256("abc")[0] == 0xba && sha256("abc")[31] == 0xad);

std::string hex_of(std::string_view bytes) {
    return to_hex(sha256(bytes));
}

TEST(sha256, gives_the_digests_that_fips_180_prints) {
    EXPECT_EQ(hex_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    EXPECT_EQ(hex_of("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                     "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu"),
              "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
    EXPECT_EQ(hex_of(std::string(1'000'000, 'a')),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

// The additional examples that NIST published for SHA-256: every way in which the padding can fall.
TEST(sha256, gives_the_digests_of_the_additional_examples_of_nist) {
    EXPECT_EQ(hex_of("\xbd"), "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b");
    EXPECT_EQ(hex_of("\xc9\x8c\x8e\x55"),
              "7abc22c0ae5af26ce93dbb94433a0e0b2e119d014f8e7f65bd56c61ccccd9504");
    EXPECT_EQ(hex_of(std::string(55, '\0')),
              "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7");
    EXPECT_EQ(hex_of(std::string(56, '\0')),
              "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb");
    EXPECT_EQ(hex_of(std::string(57, '\0')),
              "65a16cb7861335d5ace3c60718b5052e44660726da4cd13bb745381b235a1785");
    EXPECT_EQ(hex_of(std::string(64, '\0')),
              "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b");
    EXPECT_EQ(hex_of(std::string(1'000, '\0')),
              "541b3e9daa09b20bf85fa273e5cbd3e80185aa4ec298e765db87742b70138a53");
    EXPECT_EQ(hex_of(std::string(1'000, 'A')),
              "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4");
    EXPECT_EQ(hex_of(std::string(1'005, 'U')),
              "f4d62ddec0f3dd90ea1380fa16a5ff8dc4c54b21740650f24afc4120903552b0");
    EXPECT_EQ(hex_of(std::string(1'000'000, '\0')),
              "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025");
}

TEST(sha256, of_no_bytes_at_all_is_defined) {
    EXPECT_EQ(hex_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha256(std::string_view{}), sha256(""));
}

TEST(sha256, every_byte_and_the_length_count) {
    EXPECT_NE(sha256("a"), sha256("a\0"sv));
    EXPECT_NE(sha256("a\0b"sv), sha256("a\0c"sv));
    EXPECT_NE(sha256(std::string(64, 'a')), sha256(std::string(65, 'a')));
}

} // namespace
