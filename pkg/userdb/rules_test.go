package userdb_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ruleVectors are the parts of pkg/wire/testdata/vectors/rules.json that are about users and marks. The
// Worker runs them, too.
type ruleVectors struct {
	UserIDs []struct {
		ID string `json:"id"`
		OK bool   `json:"ok"`
	} `json:"userIds"`
	Marks []struct {
		Name   string `json:"name"`
		Hex    string `json:"hex"`
		Expect struct {
			Kind  string       `json:"kind"`
			Lin   userdb.Claim `json:"lin"`
			Non   userdb.Claim `json:"non"`
			Stamp userdb.Claim `json:"stamp"`
		} `json:"expect"`
	} `json:"marks"`
	Tombstones []struct {
		Name string       `json:"name"`
		Hex  string       `json:"hex"`
		OK   bool         `json:"ok"`
		Lin  userdb.Claim `json:"lin"`
		Non  userdb.Claim `json:"non"`
	} `json:"tombstones"`
}

func readRules(t *testing.T) ruleVectors {
	t.Helper()
	content, err := os.ReadFile("../wire/testdata/vectors/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules ruleVectors
	if err := json.Unmarshal(content, &rules); err != nil {
		t.Fatal(err)
	}
	if len(rules.UserIDs) == 0 || len(rules.Marks) == 0 || len(rules.Tombstones) == 0 {
		t.Fatal("a part is empty")
	}
	return rules
}

func TestRuleVectors(t *testing.T) {
	rules := readRules(t)
	for _, v := range rules.UserIDs {
		if _, err := userdb.ParseUserID(v.ID); (err == nil) != v.OK {
			t.Errorf("user id %.40q: %v, want accepted: %t", v.ID, err, v.OK)
		}
	}
	for _, v := range rules.Marks {
		kind, m := "none", userdb.Mark{}
		if head, err := hex.DecodeString(v.Hex); err != nil {
			t.Fatal(err)
		} else if len(head) >= userdb.HeaderBytes { // less is no database, and has no mark
			if m, err = userdb.ParseMark(head); err != nil {
				t.Errorf("%s: %v", v.Name, err)
			}
			kind = m.Kind.String()
			if m.Split {
				kind = "split"
			}
		}
		if e := v.Expect; kind != e.Kind || m.Lin.Claim() != e.Lin || m.Non.Claim() != e.Non ||
			m.Stamp.Claim() != e.Stamp {
			t.Errorf("%s: %s %+v, want %+v", v.Name, kind, m, e)
		}
	}
	for _, v := range rules.Tombstones {
		object, err := hex.DecodeString(v.Hex)
		if err != nil {
			t.Fatal(err)
		}
		if tomb, err := userdb.ParseTombstone(object); (err == nil) != v.OK || tomb.Lin.Claim() != v.Lin ||
			tomb.Non.Claim() != v.Non {
			t.Errorf("%s: %+v, %v", v.Name, tomb, err)
		}
	}
}
