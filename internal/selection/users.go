package selection

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// userSet keeps users in the order in which they were named, each once.
type userSet struct {
	users []userdb.UserID
	has   map[userdb.UserID]bool
}

// ParseIDs reads users' ids, each once.
func ParseIDs(args []string) ([]userdb.UserID, error) {
	var set userSet
	err := set.addArguments(args)
	return set.users, err
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

// withoutComment takes off a comment, which begins at a # after white space or at the start of the line. In
// the middle of a word it is no comment: half a name would be another user.
func withoutComment(line string) string {
	for i := range line {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return strings.TrimRight(line[:i], " \t")
		}
	}
	return line
}

// addLine adds the user of a line. An id may begin or end with a blank, and with the blank taken off it would
// be another user's: nobody can tell what was meant.
func (s *userSet) addLine(line string) error {
	line = withoutComment(line)
	bare := strings.TrimSpace(line)
	if bare == "" {
		return nil
	}
	if bare != line {
		return userdb.UsageError("bad user id", fmt.Sprintf("%.80q", line), "it begins or ends with a blank",
			"take the blank away, or, if the id has one, name the user as an argument")
	}
	return s.add(line)
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
			return userSet{}, userdb.UsageError("open users file", path, errors.Unwrap(err).Error(), "")
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
		if err := set.addLine(text); err != nil {
			return userSet{}, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return userSet{}, userdb.UsageError("read users file", path, err.Error(), "write one user id a line")
	}
	return set, nil
}
