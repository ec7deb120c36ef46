// Package userdb holds the nouns of dbmigrate: users, the objects that hold their databases, the marks that a
// cutover leaves in a file, the phases of a Durable Object and the errors that all packages share. It does no
// I/O.
package userdb

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// UserID names one user: the {user} of the layout, the name of the Durable Object (idFromName) and the tail
// of the KV key.
type UserID string

// MaxUserIDBytes is what fits behind "migrated:" in a KV key of at most 512 bytes (Workers KV limits).
const MaxUserIDBytes = 512 - len(FlagPrefix)

// FlagPrefix starts the KV key of a user's flag. The value is "true"; absence means that the user lives in
// R2.
const FlagPrefix = "migrated:"

// SplitFlagPrefix starts the KV key of the flag of a split user, with hot rows in R2: such a user has no flag
// under FlagPrefix.
const SplitFlagPrefix = "split:"

// unsafe are the characters that paths and URLs read as something else.
const (
	unsafe     = `/\%?#`
	unsafeList = `/ \ % ? #`
)

// ParseUserID accepts what can stand in an R2 key, a KV key and a URL path and means the same in all three.
// It refuses the empty string, "." and "..", the name of ReservedPrefix, text that is not UTF-8, control
// characters, any of / \ % ? #, and more than MaxUserIDBytes bytes.
func ParseUserID(s string) (UserID, error) {
	reason := ""
	switch {
	case s == "":
		reason = "it is empty"
	case len(s) > MaxUserIDBytes:
		reason = fmt.Sprintf("it has %d bytes, and a KV key leaves room for %d", len(s), MaxUserIDBytes)
	case !utf8.ValidString(s):
		reason = "it is not UTF-8"
	case s == "." || s == "..":
		reason = "it would be read as a folder"
	case s == reservedName:
		reason = "dbmigrate keeps its own records under this name"
	case strings.ContainsAny(s, unsafe):
		reason = fmt.Sprintf("it holds %q, and a path or URL reads %s differently", s[strings.IndexAny(s, unsafe)], unsafeList)
	case strings.ContainsFunc(s, unicode.IsControl):
		reason = "it holds a control character"
	}
	if reason != "" {
		return "", &Error{
			Op:    "bad user id",
			Thing: fmt.Sprintf("%.80q", s),
			Kind:  BadUserID,
			Err:   fmt.Errorf("%s", reason),
			Hint:  "check how it is spelled; a file under such a key cannot be moved until it is put under another key",
		}
	}
	return UserID(s), nil
}

// FlagKey is the KV key of the user's flag.
func (u UserID) FlagKey() string { return FlagPrefix + string(u) }
