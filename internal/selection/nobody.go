package selection

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// RefuseNobody is the error of a command for which no user is selected: a script with a wrong prefix has done
// nothing. A shard may be empty where the fleet is not; and where flags cannot be read, somebody may be
// missing.
func (s *Set) RefuseNobody(chosen int) error {
	switch {
	case chosen > 0 || s.FlagsUnread:
		return nil
	case s.Shards() > 1:
		s.options.Talk.Say("nobody is in this shard: there is nothing to do")
		return nil
	}
	cause := "no user is selected"
	if over := s.options.Over; over.Bytes > 0 {
		cause += fmt.Sprintf(" of those with a file of at least %s; --over 0 asks for no size", over.String())
	}
	return Nobody("choose users", cause)
}

// Nobody is the error of a command that found nobody.
func Nobody(op, cause string) error {
	return userdb.UsageError(op, "", cause,
		"check the names, --prefix and the other ways of choosing, --bucket and --layout")
}

// Unknown are the users who were named and have nothing in the bucket. found are those that Resolve found.
func (s *Set) Unknown(found []inspect.Found) (unknown []userdb.UserID) {
	if s.Wide {
		return nil
	}
	unknown = UnknownOf(found)
	if !s.options.Flags || s.options.byTime() {
		return unknown // a user who is not found is left out by another flag
	}
	at := map[userdb.UserID]bool{}
	for _, f := range found {
		at[f.User] = true
	}
	for _, u := range Kept(s.Named, s.takesID) {
		if !at[u] {
			unknown = append(unknown, u)
		}
	}
	return unknown
}

// UnknownOf are the users, of those who were named, without anything in the bucket.
func UnknownOf(found []inspect.Found) (unknown []userdb.UserID) {
	for _, f := range found {
		if IsUnknown(f) {
			unknown = append(unknown, f.User)
		}
	}
	return unknown
}

// IsUnknown says that the bucket has nothing of a user.
func IsUnknown(f inspect.Found) bool {
	return f.Place == inspect.PlaceMissing && !f.Flagged && f.Flag == userdb.FlagMeta{}
}
