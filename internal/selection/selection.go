// Package selection says which users a command is about.
package selection

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Options are the ways of choosing users, as they were given. Ways intersect: each can only take users away.
// The zero value chooses nobody.
type Options struct {
	All       bool
	UsersFile string // "-" is standard input
	Prefix    string
	Over      units.SizeFlag
	Percent   Percent
	Exclude   []string
	Shard     string // such as 3/16, or auto

	// Run and Since choose users by when they moved, ToPercent all but those up to a share.
	Run       string
	Since     units.AgeFlag
	ToPercent Percent
	// Ways are the flags by which the command lets users be chosen, such as "all".
	Ways []string

	// OrAll says that everybody is meant where users are neither named nor asked for.
	OrAll bool
	// Marks asks every file of a scan for its fence, whatever the flags say.
	Marks bool
	// Flags looks up the flags of users who are named, too.
	Flags bool
	// WithoutFlags goes on when the flags cannot be read: KV decides nothing, and the files tell who left R2.
	WithoutFlags bool
	// ShardsByFiles asks the files of a shard for their marks, and reads no flags.
	ShardsByFiles bool
	// OfAll says which users a scan of the bucket is about; nil: everybody. Users who are
	// named are not asked.
	OfAll func(inspect.Found) bool
	// Records are asked who a run moved where flags and receipts do not tell; nil: there are none.
	Records func() (*record.Place, error)
	// Talk is told what people should know; nil: nobody listens.
	Talk Talk
}

// Talk tells people something.
type Talk interface {
	Say(format string, args ...any)
	Warn(format string, args ...any)
}

// Scanner finds users.
type Scanner interface {
	Scan(ctx context.Context, opts inspect.ScanOptions) ([]inspect.Found, error)
	LookUp(ctx context.Context, users []userdb.UserID) ([]inspect.Found, error)
	Moved(ctx context.Context, opts inspect.ScanOptions, since time.Time) ([]inspect.Found, error)
	Recorded(
		ctx context.Context,
		u userdb.UserID,
		claim userdb.Claim,
		meta userdb.FlagMeta,
	) (inspect.Found, bool, error)
}

// Set is a choice of users that was read and is in order.
type Set struct {
	// Named are the users of arguments and files, in this order.
	Named []userdb.UserID
	// Wide says that the bucket has to be scanned: no user is named.
	Wide bool
	// FlagsUnread says that users were found without the flags, so that somebody may be missing.
	FlagsUnread bool

	options  Options
	shard    shard
	excluded map[userdb.UserID]bool
}

// Parse checks the options and names the users that they name. Nothing is asked of any server, so a bad id
// stops a command before it begins.
func (o Options) Parse(args []string, stdin io.Reader) (*Set, error) {
	if o.Talk == nil {
		o.Talk = silence{}
	}
	s := &Set{options: o, Wide: len(args) == 0 && o.UsersFile == ""}
	if err := s.readParts(stdin); err != nil {
		return nil, err
	}
	if err := s.readNames(args, stdin); err != nil {
		return nil, err
	}
	if s.Wide && !o.All && !o.OrAll && !o.Over.Given && !o.byTime() && !o.ToPercent.Given {
		return nil, userdb.UsageError("no users given", "", o.narrowing()+o.waysOfChoosing(), "")
	}
	return s, nil
}

// waysOfChoosing says how users can be given to this command.
func (o Options) waysOfChoosing() string {
	if len(o.Ways) == 0 {
		return "name users"
	}
	return "name users, or pass " + spelt(slices.Sorted(slices.Values(o.Ways)), "or")
}

// narrowing says of flags that choose no users that they do not.
func (o Options) narrowing() string {
	var given []string
	for name, is := range map[string]bool{
		"prefix": o.Prefix != "", "percent": o.Percent.Given, "exclude": len(o.Exclude) > 0, "shard": o.Shard != "",
	} {
		if is {
			given = append(given, name)
		}
	}
	slices.Sort(given)
	switch len(given) {
	case 0:
		return ""
	case 1:
		return spelt(given, "") + " only narrows a choice; "
	}
	return spelt(given, "and") + " only narrow a choice; "
}

// spelt lists flags as they are typed.
func spelt(flags []string, word string) string {
	last := len(flags) - 1
	if last == 0 {
		return "--" + flags[0]
	}
	return "--" + strings.Join(flags[:last], ", --") + " " + word + " --" + flags[last]
}

func (s *Set) readNames(args []string, stdin io.Reader) error {
	var chosen userSet
	if err := chosen.addArguments(args); err != nil {
		return err
	}
	if s.options.UsersFile != "" {
		listed, err := readUsersFile(s.options.UsersFile, stdin)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			listed = listed.both(chosen)
		}
		chosen = listed
	}
	s.Named = chosen.users
	return nil
}

// readParts reads what takes users away.
func (s *Set) readParts(stdin io.Reader) (err error) {
	o := &s.options
	if o.UsersFile == "-" && slices.Contains(o.Exclude, "-") {
		return userdb.UsageError(
			"read --exclude",
			"-",
			"--users-file reads standard input already",
			"put one of the two into a file",
		)
	}
	switch o.Shard {
	case "":
	case "auto":
		s.shard, err = shardFromEnvironment(os.Getenv)
	default:
		s.shard, err = parseShard(o.Shard)
	}
	if err != nil {
		return err
	}
	s.excluded, err = readExcluded(o.Exclude, stdin)
	return err
}

// Shards is how many processes divide the users among them: at least one.
func (s *Set) Shards() int { return max(1, s.shard.of) }

// Resolve finds the chosen users and the sizes of their files: the largest first when the bucket was scanned,
// the latest moved first by Run and Since, otherwise as named. Who is left out by the id alone costs no
// request.
func (s *Set) Resolve(ctx context.Context, e Scanner) ([]inspect.Found, error) {
	if s.options.byTime() {
		return s.resolveMoved(ctx, e)
	}
	found, err := s.find(ctx, e)
	if err != nil {
		return nil, err
	}
	chosen := Kept(found, s.takes)
	if left := len(s.Named) - len(chosen); left > 0 && !s.Wide {
		s.options.Talk.Say("%d of the users named are left out by the other flags", left)
	}
	return chosen, nil
}

func (s *Set) find(ctx context.Context, e Scanner) ([]inspect.Found, error) {
	named := Kept(s.Named, s.takesID)
	opts := inspect.ScanOptions{
		Users:        named,
		Prefix:       s.options.Prefix,
		Marks:        s.options.Marks,
		Only:         s.takesID,
		WithoutFlags: s.unread(),
		NoFlags:      s.options.ShardsByFiles && s.Wide && s.Shards() > 1,
	}
	switch {
	case s.Wide:
		return e.Scan(ctx, opts)
	case !s.options.Flags:
		return e.LookUp(ctx, named)
	case len(named) == 0: // to Scan this means everybody
		return nil, nil
	}
	return e.Scan(ctx, opts)
}

// unread is told that the flags cannot be read; nil: the command needs them.
func (s *Set) unread() func(error) {
	if !s.options.WithoutFlags {
		return nil
	}
	return func(err error) {
		s.FlagsUnread = true
		WarnUnread(s.options.Talk, err)
	}
}

// WarnUnread says that a command goes on without the flags.
func WarnUnread(talk Talk, err error) {
	talk.Warn("%v: going on without the flags; a user who has a flag and no fenced file is not found", err)
}

// Kept are those that keep says yes to.
func Kept[T any](all []T, keep func(T) bool) []T {
	var out []T
	for _, one := range all {
		if keep(one) {
			out = append(out, one)
		}
	}
	return out
}

// takes applies what can only take users away. A user that was named but has no file is kept, so that the
// command reports it. So is one with an object that cannot be read.
func (s *Set) takes(f inspect.Found) bool {
	unknown := f.Place == inspect.PlaceMissing && !s.Wide || f.Place == inspect.PlaceUnreadable
	of := s.options.OfAll
	return s.takesID(f.User) && (f.Bytes >= s.options.Over.Bytes || unknown) &&
		(of == nil || !s.Wide || of(f))
}

// takesID applies what needs no look at the user.
func (s *Set) takesID(u userdb.UserID) bool {
	o := &s.options
	return strings.HasPrefix(string(u), o.Prefix) && o.Percent.Includes(u) && !o.stays(u) && s.shard.has(u) &&
		!s.excluded[u]
}

// LeftItsFile says that the bucket or the flags show that a user left R2, or may have.
func LeftItsFile(f inspect.Found) bool {
	switch f.Place {
	case inspect.PlaceObject, inspect.PlaceSplit, inspect.PlaceMissing, inspect.PlaceUnreadable:
		return true
	}
	return f.Flagged
}

type silence struct{}

func (silence) Say(string, ...any)  {}
func (silence) Warn(string, ...any) {}
