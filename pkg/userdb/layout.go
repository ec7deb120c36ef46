package userdb

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultLayout is where the databases are when nobody says otherwise.
const DefaultLayout = "{user}/database.sqlite"

// MaxObjectKeyBytes is R2's limit for a key.
const MaxObjectKeyBytes = 1024

const (
	layoutUser = "{user}"
	delimiter  = "/"
)

// Layout says under which key of the bucket a user's database stands, and reads users back out of keys.
// Its zero value is not usable; get one from ParseLayout.
type Layout struct{ prefix, suffix string }

// ParseLayout reads a template such as "{user}/database.sqlite" or "databases/{user}.sqlite": a key with
// exactly one {user}, which stays within R2's limit for every user id.
func ParseLayout(template string) (Layout, error) {
	if reason := layoutFault(template); reason != "" {
		return Layout{}, &Error{
			Op:    "read layout",
			Thing: fmt.Sprintf("%.200q", template),
			Kind:  Usage,
			Err:   fmt.Errorf("%s", reason),
			Hint:  "write a key with {user} in it, like " + DefaultLayout,
		}
	}
	prefix, suffix, _ := strings.Cut(template, layoutUser)
	return Layout{prefix: prefix, suffix: suffix}, nil
}

func layoutFault(template string) string {
	fixed := strings.Replace(template, layoutUser, "", 1)
	switch room := MaxObjectKeyBytes - MaxUserIDBytes; {
	case !utf8.ValidString(template):
		return "it is not UTF-8"
	case strings.Count(template, layoutUser) != 1:
		return fmt.Sprintf(
			"it has %s %d times instead of once",
			layoutUser,
			strings.Count(template, layoutUser),
		)
	case strings.ContainsAny(fixed, "{}"):
		return "it has other braces than those of " + layoutUser
	case len(fixed) > room:
		return fmt.Sprintf(
			"its fixed part has %d bytes, and the longest user id leaves room for %d",
			len(fixed),
			room,
		)
	case strings.ContainsFunc(fixed, unicode.IsControl):
		return "it holds a control character"
	case reachesReserved(template):
		return "it leads into " + ReservedPrefix + ", where dbmigrate keeps its own records"
	}
	for _, segment := range strings.Split(template, delimiter) {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Sprintf("it has the path element %q, which tools read differently", segment)
		}
	}
	return ""
}

// String is the template.
func (l Layout) String() string { return l.prefix + layoutUser + l.suffix }

// Key is where the user's database stands.
func (l Layout) Key(user UserID) ObjectKey { return ObjectKey(l.prefix + string(user) + l.suffix) }

// UserOf tells which user's database a key is; false when the key is something else.
func (l Layout) UserOf(key ObjectKey) (UserID, bool) {
	return between(string(key), l.prefix, l.suffix)
}

// UserOfFolder tells which user's folder a common prefix of a delimited listing is (it ends with the
// delimiter). It is false for something else. Whether a database is in it, only a HEAD of Key tells.
func (l Layout) UserOfFolder(folder string) (UserID, bool) {
	end := strings.Index(l.suffix, delimiter)
	if end < 0 {
		return "", false
	}
	return between(folder, l.prefix, l.suffix[:end+len(delimiter)])
}

// Folder is the user's folder, as a delimited listing has it; "" where the layout has none.
func (l Layout) Folder(user UserID) string {
	end := strings.Index(l.suffix, delimiter)
	if end < 0 {
		return ""
	}
	return l.prefix + string(user) + l.suffix[:end+len(delimiter)]
}

// Resembles says of a key that is no user's that it is named like a database: as in the layout but for its
// depth or the case of its letters, or by an ending that SQLite files often have.
func (l Layout) Resembles(key ObjectKey) bool {
	if _, ok := l.UserOf(key); ok || Reserved(string(key)) || l.Unnameable(string(key)) != "" {
		return false
	}
	name := strings.ToLower(string(key))
	if strings.HasSuffix(name, strings.ToLower(l.suffix)) && l.suffix != "" {
		return true
	}
	return slices.ContainsFunc(databaseEndings, func(end string) bool { return strings.HasSuffix(name, end) })
}

var databaseEndings = []string{".sqlite", ".sqlite3", ".db"}

// CoveredBy says which users' databases stand under keys that begin with prefix: many users', or only one
// user's, or nobody's.
func (l Layout) CoveredBy(prefix string) (many bool, only UserID) {
	if strings.HasPrefix(l.prefix, prefix) {
		return true, ""
	}
	rest, inside := strings.CutPrefix(prefix, l.prefix)
	switch {
	case !inside || Reserved(prefix):
		return false, ""
	case l.suffix == "" || !strings.Contains(rest, l.suffix[:1]):
		return true, ""
	}
	for at := range rest {
		if u, err := ParseUserID(rest[:at]); err == nil && strings.HasPrefix(l.suffix, rest[at:]) {
			return false, u
		}
	}
	return !strings.Contains(rest, delimiter), ""
}

// ListPlan says how to find all users without listing what else is in the bucket: list prefix with delimiter.
// If plain, the objects of that listing are the databases (UserOf), with size and ETag. Otherwise its common
// prefixes are the users' folders (UserOfFolder), and each needs a HEAD.
func (l Layout) ListPlan() (prefix, delim string, plain bool) {
	return l.prefix, delimiter, !strings.Contains(l.suffix, delimiter)
}

// Unnameable tells what stands in the user's place in a key, or in a folder of a delimited listing, but can
// be no user's id. It is "" for everything else. There may be a database, but no user can be named for it.
// What is under ReservedPrefix is no user's.
func (l Layout) Unnameable(keyOrFolder string) string {
	if Reserved(keyOrFolder) {
		return ""
	}
	suffix := l.suffix
	if end := strings.Index(suffix, delimiter); end >= 0 && strings.HasSuffix(keyOrFolder, delimiter) {
		suffix = suffix[:end+len(delimiter)]
	}
	middle, found := cut(keyOrFolder, l.prefix, suffix)
	if _, err := ParseUserID(middle); !found || err == nil || strings.Contains(middle, delimiter) {
		return ""
	}
	return middle
}

func between(s, prefix, suffix string) (UserID, bool) {
	middle, found := cut(s, prefix, suffix)
	user, err := ParseUserID(middle)
	return user, found && err == nil
}

func cut(s, prefix, suffix string) (string, bool) {
	rest, hasPrefix := strings.CutPrefix(s, prefix)
	middle, hasSuffix := strings.CutSuffix(rest, suffix)
	return middle, hasPrefix && hasSuffix
}
