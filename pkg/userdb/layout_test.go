package userdb

import (
	"strings"
	"testing"
)

func mustLayout(t *testing.T, template string) Layout {
	t.Helper()
	layout, err := ParseLayout(template)
	if err != nil {
		t.Fatal(err)
	}
	return layout
}

func TestParseLayoutRefuses(t *testing.T) {
	for name, template := range map[string]string{
		"empty":               "",
		"no user":             "database.sqlite",
		"two users":           "{user}/{user}.sqlite",
		"another placeholder": "{user}/{year}.sqlite",
		"half a brace":        "{user}/database}.sqlite",
		"leading slash":       "/{user}/database.sqlite",
		"double slash":        "{user}//database.sqlite",
		"trailing slash":      "databases/{user}/",
		"dot element":         "./{user}.sqlite",
		"dot-dot element":     "a/../{user}.sqlite",
		"control character":   "{user}/data\nbase",
		"not UTF-8":           "{user}/\xff",
		"too long":            strings.Repeat("p", MaxObjectKeyBytes-MaxUserIDBytes+1) + "{user}",
	} {
		t.Run(name, func(t *testing.T) {
			layout, err := ParseLayout(template)
			if KindOf(err) != Usage {
				t.Errorf("ParseLayout(%q) = %q, %v", template, layout, err)
			}
		})
	}
}

func TestLayoutPlans(t *testing.T) {
	for _, test := range []struct {
		template, key, prefix, folder string
		plain                         bool
	}{
		{"{user}/database.sqlite", "ann/database.sqlite", "", "ann/", false},
		{"databases/{user}.sqlite", "databases/ann.sqlite", "databases/", "", true},
		{"{user}", "ann", "", "", true},
		{"prod/u-{user}-v1/db/main.sqlite", "prod/u-ann-v1/db/main.sqlite", "prod/u-", "prod/u-ann-v1/", false},
	} {
		t.Run(test.template, func(t *testing.T) {
			layout := mustLayout(t, test.template)
			if layout.String() != test.template {
				t.Errorf("String() = %q", layout.String())
			}
			if key := layout.Key("ann"); string(key) != test.key {
				t.Errorf("Key = %q", key)
			}
			prefix, delim, plain := layout.ListPlan()
			if prefix != test.prefix || delim != "/" || plain != test.plain {
				t.Errorf("ListPlan = %q, %q, %v", prefix, delim, plain)
			}
			if user, ok := layout.UserOfFolder(test.folder); ok == plain || (ok && user != "ann") {
				t.Errorf("UserOfFolder(%q) = %q, %v", test.folder, user, ok)
			}
		})
	}
}

func TestUserOfRefusesOtherKeys(t *testing.T) {
	layout := mustLayout(t, "prod/{user}/database.sqlite")
	for _, key := range []ObjectKey{
		"", "prod/", "prod/database.sqlite", "prod//database.sqlite", "test/ann/database.sqlite",
		"prod/ann/database.sqlite-wal", "prod/ann/games/database.sqlite", "prod/../database.sqlite", "prod/a%b/database.sqlite",
	} {
		if user, ok := layout.UserOf(key); ok {
			t.Errorf("UserOf(%q) = %q", key, user)
		}
	}
	for _, folder := range []string{"", "prod/", "prod/ann", "prod/ann/games/", "test/ann/", "prod//"} {
		if user, ok := layout.UserOfFolder(folder); ok {
			t.Errorf("UserOfFolder(%q) = %q", folder, user)
		}
	}
}

func TestUserOfDoesNotCountBytesTwice(t *testing.T) {
	layout := mustLayout(t, "ab{user}ba")
	if user, ok := layout.UserOf("aba"); ok {
		t.Errorf("prefix and suffix overlapped into user %q", user)
	}
}

// FuzzLayout: whatever template and user are accepted, the key stays within R2's limit and leads back to the
// user, and no accepted key leads to two users.
func FuzzLayout(f *testing.F) {
	f.Add("{user}/database.sqlite", "ann", "bob/database.sqlite")
	f.Add("databases/{user}.sqlite", strings.Repeat("x", MaxUserIDBytes), "databases/.sqlite")
	f.Add("a{user}a", "a", "aa")
	f.Add("é{user}/é", "ü", "é/é")
	f.Fuzz(func(t *testing.T, template, name, key string) {
		layout, err := ParseLayout(template)
		if err != nil {
			return
		}
		if user, err := ParseUserID(name); err == nil {
			own := layout.Key(user)
			if len(own) > MaxObjectKeyBytes {
				t.Errorf("key of %d bytes", len(own))
			}
			if back, ok := layout.UserOf(own); !ok || back != user {
				t.Errorf("UserOf(Key(%q)) = %q, %v with %q", user, back, ok, template)
			}
		}
		if user, ok := layout.UserOf(ObjectKey(key)); ok && layout.Key(user) != ObjectKey(key) {
			t.Errorf("Key(UserOf(%q)) = %q with %q", key, layout.Key(user), template)
		}
		if user, ok := layout.UserOfFolder(key); ok && !strings.HasPrefix(string(layout.Key(user)), key) {
			t.Errorf(
				"the folder %q is read as that of %q, with the key %q, with %q",
				key,
				user,
				layout.Key(user),
				template,
			)
		}
		layout.Unnameable(key)
	})
}
