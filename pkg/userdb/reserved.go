package userdb

import "strings"

// ReservedPrefix is where dbmigrate keeps what is its own in the bucket: run records, audit lines, receipts.
// It stands at the bucket's root, whatever the layout; no layout and no user id may lead into it.
const ReservedPrefix = ".dbmigrate/"

// reservedName is the folder's name. As a user id it would lead the default layout into it.
const reservedName = ".dbmigrate"

// Reserved says whether a key, or a folder of a delimited listing, is dbmigrate's own and no user's.
func Reserved(keyOrFolder string) bool { return strings.HasPrefix(keyOrFolder, ReservedPrefix) }

// reachesReserved says whether a layout puts some user under ReservedPrefix. The user of that very name does
// not count: ParseUserID refuses it.
func reachesReserved(template string) bool {
	first, _, deeper := strings.Cut(template, delimiter)
	if !deeper {
		return false
	}
	before, after, hasUser := strings.Cut(first, layoutUser)
	if !hasUser {
		return first == reservedName
	}
	alone := before == "" && after == ""
	return !alone && len(before)+len(after) < len(reservedName) && strings.HasPrefix(reservedName, before) &&
		strings.HasSuffix(reservedName, after)
}
