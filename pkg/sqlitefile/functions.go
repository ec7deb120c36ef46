package sqlitefile

import "strings"

// storeFunctions are the SQL functions that a Durable Object allows, in lower case (tried against workerd:
// everything else is refused with "not authorized to use function"). Operators that are functions underneath,
// such as LIKE, are among them.
var storeFunctions = func() map[string]bool {
	allowed := map[string]bool{}
	for _, group := range []string{
		// Core.
		`abs changes char coalesce concat concat_ws format glob hex ifnull iif instr last_insert_rowid length like likelihood likely
		lower ltrim max min nullif octet_length printf quote random randomblob replace round rtrim sign substr substring total_changes
		trim typeof unhex unicode unlikely upper zeroblob`,
		// Date and time; CURRENT_TIME and its like are functions too.
		`date time datetime julianday unixepoch strftime timediff current_date current_time current_timestamp`,
		// Aggregates and window functions.
		`avg count group_concat string_agg sum total row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value
		last_value nth_value`,
		// Mathematics.
		`acos acosh asin asinh atan atan2 atanh ceil cos cosh degrees exp floor ln log log2 mod pi pow radians sin sinh sqrt tan tanh trunc`,
		// JSON; -> and ->> are functions too.
		`json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert json_object json_patch
		json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array jsonb_each jsonb_extract
		jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree -> ->>`,
		// Full-text search and rtree.
		`highlight bm25 snippet match rtreecheck`,
	} {
		for _, name := range strings.Fields(group) {
			allowed[name] = true
		}
	}
	return allowed
}()
