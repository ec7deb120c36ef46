package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// selection says which users a command is about. Several ways of choosing intersect: each can only take users away.
type selection struct {
	over      sizeValue
	usersFile string
	all       bool
	percent   float64
	prefix    string
	exclude   []string
	shardText string
	marks     bool // every file is asked for its fence, whatever the flags say

	named    []userdb.UserID // by arguments and file
	wide     bool            // the bucket has to be scanned
	shard    shard
	excluded map[userdb.UserID]bool

	unread      func(error) // is told that the flags cannot be read; nil: the command needs them
	flagsUnread bool        // the users were chosen without the flags
}

// withoutFlags lets the command go on when the flags cannot be read: KV decides nothing, and the files tell who left R2.
func (s *selection) withoutFlags(a *app) {
	s.unread = func(err error) {
		s.flagsUnread = true
		a.out.Warn("%v: going on without the flags; a user who has a flag and no fenced file is not found", err)
	}
}

// addWhole adds what every command over users has, addParts what divides a fleet, and addNarrow what takes a share of it.
func (s *selection) addWhole(flags *pflag.FlagSet) {
	flags.BoolVar(&s.all, "all", false, "every user that the bucket holds")
	flags.StringVar(&s.usersFile, "users-file", "", "`file` with one user id a line; \"-\" is standard input, # begins a comment")
	flags.StringVar(&s.prefix, "prefix", "", "only users whose id begins with this")
}

func (s *selection) addParts(flags *pflag.FlagSet) {
	flags.StringArrayVar(&s.exclude, "exclude", nil, "not this `user`, or the users of this file (a path with a slash in it, \"-\" is standard input); can be said again")
	flags.StringVar(&s.shardText, "shard", "", "only this `part` of the users, such as 3/16 for the third of sixteen; auto: as the CI system or Kubernetes says")
}

func (s *selection) addNarrow(flags *pflag.FlagSet) {
	flags.Var(&s.over, "over", "only users whose file has at least this size; 1MB is 1,000,000 bytes, 1MiB is 1,048,576")
	flags.Float64Var(&s.percent, "percent", 100, "only this share of all users, always the same ones: those in 5 percent are in 10 percent, too")
}

// read checks the command line and names the users that it names. Nothing has been asked of any server yet, so a bad id stops the command
// before it begins.
func (s *selection) read(args []string, stdin io.Reader) error {
	if err := s.readParts(stdin); err != nil {
		return err
	}
	var chosen userSet
	if len(args) > 0 {
		if err := chosen.addArguments(args); err != nil {
			return err
		}
	}
	if s.usersFile != "" {
		listed, err := readUsersFile(s.usersFile, stdin)
		if err != nil {
			return err
		}
		if len(args) > 0 {
			listed = listed.both(chosen)
		}
		chosen = listed
	}
	s.named = chosen.users
	s.wide = len(args) == 0 && s.usersFile == ""
	if s.wide && !s.all && !s.over.given {
		return usageError("choose users", "", "none are named", "name them, or say --all")
	}
	return nil
}

// readParts reads what takes users away.
func (s *selection) readParts(stdin io.Reader) (err error) {
	if !(s.percent >= 0 && s.percent <= 100) {
		return usageError("read --percent", fmt.Sprint(s.percent), "it is not between 0 and 100", "")
	}
	if s.usersFile == "-" && slices.Contains(s.exclude, "-") {
		return usageError("read --exclude", "-", "--users-file reads standard input already", "put one of the two into a file")
	}
	switch s.shardText {
	case "":
	case "auto":
		s.shard, err = shardFromEnvironment(os.Getenv)
	default:
		s.shard, err = parseShard(s.shardText)
	}
	if err != nil {
		return err
	}
	s.excluded, err = readExcluded(s.exclude, stdin)
	return err
}

// narrowing are the flags whose empty value would choose everybody.
var narrowing = []string{"shard", "run", "users-file"}

// refuseEmpty refuses a flag that was given without a value, as by a script whose variable is not set.
func refuseEmpty(flags *pflag.FlagSet) error {
	for _, name := range narrowing {
		if f := flags.Lookup(name); f != nil && f.Changed && f.Value.String() == "" {
			return usageError("read --"+name, "", "its value is empty, which would choose more users than were meant", "give a value, or leave the flag out; is a variable not set?")
		}
	}
	return nil
}

// resolve finds the chosen users and the sizes of their files, the largest first when the bucket was scanned, otherwise as named. Whoever is
// left out by the id alone costs no request.
func (s *selection) resolve(ctx context.Context, e *migrate.Engine, say func(string, ...any)) ([]migrate.Found, error) {
	var found []migrate.Found
	var err error
	if s.wide {
		found, err = e.Scan(ctx, migrate.ScanOptions{Prefix: s.prefix, Marks: s.marks, Only: s.takesID, WithoutFlags: s.unread})
	} else {
		found, err = e.LookUp(ctx, kept(s.named, s.takesID))
	}
	if err != nil {
		return nil, err
	}
	chosen := kept(found, s.takes)
	if left := len(s.named) - len(chosen); left > 0 && !s.wide {
		say("%d of the users named are left out by the other flags", left)
	}
	return chosen, nil
}

func kept[T any](all []T, keep func(T) bool) []T {
	var out []T
	for _, one := range all {
		if keep(one) {
			out = append(out, one)
		}
	}
	return out
}

// takes applies what can only take users away. A user that was named but has no file is kept, so that the command reports it,
// and so is one whose object cannot be read.
func (s *selection) takes(f migrate.Found) bool {
	unknown := f.Place == migrate.PlaceMissing && !s.wide || f.Place == migrate.PlaceUnreadable
	return s.takesID(f.User) && (f.Bytes >= s.over.bytes || unknown)
}

// takesID applies what needs no look at the user.
func (s *selection) takesID(u userdb.UserID) bool {
	return strings.HasPrefix(string(u), s.prefix) && share(u) < s.percent && s.shard.has(u) && !s.excluded[u]
}

// share is a user's fixed place between 0 and 100. It depends on nothing but the id, so that waves on any machine agree.
func share(u userdb.UserID) float64 {
	sum := sha256.Sum256([]byte("dbmigrate percent " + string(u)))
	return float64(binary.BigEndian.Uint64(sum[:8])>>11) / (1 << 53) * 100
}

// userSet keeps users in the order in which they were named, each once.
type userSet struct {
	users []userdb.UserID
	has   map[userdb.UserID]bool
}

func (s *userSet) add(text string) error {
	u, err := userdb.ParseUserID(text)
	if err != nil {
		return err
	}
	s.put(u)
	return nil
}

func (s *userSet) put(u userdb.UserID) {
	if s.has == nil {
		s.has = map[userdb.UserID]bool{}
	}
	if !s.has[u] {
		s.has[u] = true
		s.users = append(s.users, u)
	}
}

func (s *userSet) addArguments(args []string) error {
	for _, arg := range args {
		if err := s.add(arg); err != nil {
			return err
		}
	}
	return nil
}

// withoutComment takes off a comment, which begins at a # after white space or at the start of the line. In the middle of a word it is no
// comment: half a name would be another user.
func withoutComment(line string) string {
	for i := range line {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			line = line[:i]
			break
		}
	}
	return strings.TrimSpace(line)
}

func (s userSet) both(other userSet) userSet {
	var out userSet
	out.has = map[userdb.UserID]bool{}
	for _, u := range s.users {
		if other.has[u] {
			out.has[u] = true
			out.users = append(out.users, u)
		}
	}
	return out
}

// byteOrderMark begins files that some editors and spreadsheets write.
const byteOrderMark = "\uFEFF"

func readUsersFile(path string, stdin io.Reader) (userSet, error) {
	r := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return userSet{}, usageError("open users file", path, errors.Unwrap(err).Error(), "")
		}
		defer f.Close()
		r = f
	}
	var set userSet
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := lines.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, byteOrderMark)
		}
		line := withoutComment(text)
		if line == "" {
			continue
		}
		if err := set.add(line); err != nil {
			return userSet{}, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return userSet{}, usageError("read users file", path, err.Error(), "write one user id a line")
	}
	return set, nil
}

// looksAtOnce keeps small requests side by side.
const looksAtOnce = 32
