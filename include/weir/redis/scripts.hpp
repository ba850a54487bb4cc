#ifndef WEIR_REDIS_SCRIPTS_HPP
#define WEIR_REDIS_SCRIPTS_HPP

/// The scripts that run in the server: what takes a decision there and has to be one step.
///
/// Each checks first and writes then, so that one that fails has changed nothing. The digest of a
/// script is the SHA-1 of its text (`sha1sum`); tests/redis/scripts_test.cpp asks a server for it.

#include <weir/redis/commands.hpp>

namespace weir::detail::redis {

/// KEYS: counter. ARGV: permits. Returns permits, as far as they are in use, and answers 1 if that
/// changed anything. BITFIELD would create a counter that is not there, without a TTL.
inline constexpr script give_back_script{
    "local used=redis.call('EXISTS',KEYS[1])==1 and "
    "redis.call('BITFIELD',KEYS[1],'GET','u63',0)[1] or 0 "
    "local cost=tonumber(ARGV[1]) "
    "if used==0 or cost==0 then return 0 end "
    "local rest=math.max(0,used-cost) "
    "redis.call('BITFIELD',KEYS[1],'SET','u63',0,string.format('%.0f',rest)) "
    "return 1",
    "a8da73149bd61e6a362ec98da9d86c5e5fd62d23", 1};

/// KEYS: value, lease. ARGV: value, TTL in ms. Stores the value if there is none, and then ends the
/// lease.
inline constexpr script add_script{
    "if not redis.call('SET',KEYS[1],ARGV[1],'PX',ARGV[2],'NX') then return 0 end "
    "redis.call('DEL',KEYS[2]) "
    "return 1",
    "0e872b56c13fdc838f891ef6efc56651aa104151", 2};

/// KEYS: value, lease. ARGV: token, value, TTL in ms (0: remove), usual grace in ms, time in ms.
/// Stores under the lease, and ends it; unless there is a value that is fresh, which somebody stored
/// meanwhile who did not end the lease.
inline constexpr script put_if_leased_script{
    "if redis.call('GET',KEYS[2])~=ARGV[1] then return 0 end "
    "local left=redis.call('PTTL',KEYS[1]) "
    "local fresh=left==-1 or left>tonumber(ARGV[4]) "
    "if left~=-2 then "
    "local head=redis.call('GETRANGE',KEYS[1],0,15) "
    "if string.byte(head)==3 then fresh=(tonumber(string.sub(head,2)) or 0)>tonumber(ARGV[5]) end "
    "end "
    "if fresh then redis.call('DEL',KEYS[2]) return 0 end "
    "if ARGV[3]=='0' then redis.call('UNLINK',KEYS[1]) "
    "else redis.call('SET',KEYS[1],ARGV[2],'PX',ARGV[3]) end "
    "redis.call('DEL',KEYS[2]) "
    "return 1",
    "f2112107c0244535a539835f84440f0c429d4ba1", 2};

/// KEYS: lease, or value. ARGV: token, or value. Ends the lease, or removes the value, if it is this
/// one.
inline constexpr script release_script{
    "if redis.call('GET',KEYS[1])==ARGV[1] then return redis.call('DEL',KEYS[1]) end "
    "return 0",
    "5c714dd8ed5b943a1f472132e06290c53ab22693", 1};

} // namespace weir::detail::redis

#endif
