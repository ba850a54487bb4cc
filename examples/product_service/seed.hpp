#ifndef PRODUCT_SERVICE_SEED_HPP
#define PRODUCT_SERVICE_SEED_HPP

namespace shop {

class database;

/// Creates the tables and fills them with demonstration data, the same on every machine, unless the
/// file has them already. All or nothing: an interrupted first start leaves no half-filled file.
///
/// Returns true if it filled the file. Throws database_error.
bool prepare(database& database);

} // namespace shop

#endif
