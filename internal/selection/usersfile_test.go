package selection

import (
	"strings"
	"testing"
)

func TestUsersFileBeginsWithByteOrderMark(t *testing.T) {
	marked, err := readUsersFile("-", strings.NewReader("\uFEFFok-1\r\nok-2\n"))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := readUsersFile("-", strings.NewReader("ok-1\nok-2\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(marked.users) != 2 || marked.users[0] != plain.users[0] || marked.users[1] != plain.users[1] {
		t.Errorf("users %q, want %q", marked.users, plain.users)
	}
}

func TestUsersFileActsOnNobodyElse(t *testing.T) {
	for _, text := range []string{" alice", "alice ", "\talice", "alice\u00a0", "alice\u2003\n", "bob\n alice # lead"} {
		if set, err := readUsersFile("-", strings.NewReader(text)); err == nil {
			t.Errorf("%q names %q", text, set.users)
		} else if !strings.Contains(err.Error(), "begins or ends with a blank") {
			t.Errorf("%q: %v", text, err)
		}
	}
	set, err := readUsersFile("-", strings.NewReader("  # all of these\n\nalice  # a customer\r\n   \nbo b\r\n"))
	if err != nil || len(set.users) != 2 || set.users[0] != "alice" || set.users[1] != "bo b" {
		t.Errorf("users %q, %v", set.users, err)
	}
}
