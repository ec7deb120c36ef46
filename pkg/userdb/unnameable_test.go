package userdb

import "testing"

func TestUnnameable(t *testing.T) {
	for _, test := range []struct{ template, s, want string }{
		{DefaultLayout, "a%2eb/database.sqlite", "a%2eb"},
		{DefaultLayout, "a%2eb/", "a%2eb"},
		{DefaultLayout, "alice/", ""},
		{DefaultLayout, "alice/database.sqlite", ""},
		{DefaultLayout, "a/b/database.sqlite", ""},
		{DefaultLayout, "readme.txt", ""},
		{"databases/{user}.sqlite", "databases/x#y.sqlite", "x#y"},
		{"databases/{user}.sqlite", "databases/x.sqlite", ""},
		{"databases/{user}.sqlite", "other/x#y.sqlite", ""},
	} {
		layout, err := ParseLayout(test.template)
		if err != nil {
			t.Fatal(err)
		}
		if got := layout.Unnameable(test.s); got != test.want {
			t.Errorf("%s: %q gives %q, want %q", test.template, test.s, got, test.want)
		}
	}
}
