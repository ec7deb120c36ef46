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
