package sqlitefile

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// storeRules are the parts of pkg/wire/testdata/vectors/rules.json that are about SQL. The Worker runs them
// on a file and on a Durable Object.
type storeRules struct {
	Limits struct {
		SetUp      []string `json:"setUp"`
		Statements []struct {
			Name       string `json:"name"`
			SQL        string `json:"sql"`
			Parameters int    `json:"parameters"`
			OK         bool   `json:"ok"`
		} `json:"statements"`
	} `json:"limits"`
	Functions struct {
		Allowed []string `json:"allowed"`
		Refused []struct {
			Name string `json:"name"`
			SQL  string `json:"sql"`
		} `json:"refused"`
	} `json:"functions"`
	ReservedNames []struct {
		Name     string `json:"name"`
		Reserved bool   `json:"reserved"`
	} `json:"reservedNames"`
}

func TestStoreRuleVectors(t *testing.T) {
	content, err := os.ReadFile("../wire/testdata/vectors/rules.json")
	if err != nil {
		t.Fatal(err)
	}
	var rules storeRules
	if err := json.Unmarshal(content, &rules); err != nil {
		t.Fatal(err)
	}
	s, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	for _, sql := range rules.Limits.SetUp {
		if err := s.conn.Exec(sql); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range rules.Limits.Statements {
		s.reads = 0
		if err := s.try(v.SQL, v.Parameters); (err == nil) != v.OK {
			t.Errorf("%s: %v, want accepted: %t", v.Name, err, v.OK)
		}
	}
	if len(rules.Functions.Allowed) != len(storeFunctions) {
		t.Errorf("%d functions are allowed, want %d", len(storeFunctions), len(rules.Functions.Allowed))
	}
	for _, name := range rules.Functions.Allowed {
		if !storeFunctions[name] {
			t.Errorf("%s is not allowed", name)
		}
	}
	for _, v := range rules.Functions.Refused {
		if err := s.try(v.SQL, 0); err == nil || storeLacks("", err) == nil {
			t.Errorf("%s is not refused: %v", v.Name, err)
		}
	}
	for _, v := range rules.ReservedNames {
		if isStoreName(v.Name) != v.Reserved {
			t.Errorf("%q: reserved %t, want %t", v.Name, !v.Reserved, v.Reserved)
		}
	}
}

// try runs a statement; its parameters are the number 1.
func (s *scratch) try(sql string, parameters int) error {
	params := make([]wire.Value, parameters)
	for i := range params {
		params[i] = wire.Value{Class: wire.Integer, Int: 1}
	}
	if !strings.HasPrefix(sql, "SELECT") {
		return s.conn.Exec(sql, params...)
	}
	return s.conn.Query(sql, params, func(*capi.Stmt) error { return nil })
}
