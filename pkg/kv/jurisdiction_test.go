package kv

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestJurisdiction(t *testing.T) {
	for body, want := range map[string]string{
		`{"success":true,"result":{"id":"n","title":"t","jurisdiction":"eu"}}`:      "eu",
		`{"success":true,"result":{"id":"n","title":"t","jurisdiction":"default"}}`: "none",
		`{"success":true,"result":{"id":"n","title":"t","jurisdiction":""}}`:        "none",
		`{"success":true,"result":{"id":"n","title":"t"}}`:                          "",
	} {
		if got, err := (&fake{steps: []step{{status: 200, body: body}}}).client(t).Jurisdiction(t.Context()); got != want ||
			err != nil {
			t.Errorf("%s: %q, %v", body, got, err)
		}
	}
	refused := (&fake{steps: []step{{status: 403, body: `{"success":false,"errors":[{"code":10000,"message":"no"}]}`}}}).client(
		t,
	)
	if _, err := refused.Jurisdiction(t.Context()); userdb.KindOf(err) != userdb.Unauthorized {
		t.Errorf("a token that may not: %v", err)
	}
}
