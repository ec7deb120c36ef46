package wire_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FuzzMessages reads the same bytes as every message that comes from the other side: what is read can be
// written, and reads the same again.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{
		`{"protocol":1,"limits":{"batchBytes":1}}`, `{"phase":"READY","gen":3,"batches":{"applied":[[0,4]]},"receipt":{"claim":3},"outcome":"import"}`,
		`{"schema":{"header":{"pageSize":4096,"internal":["sqlite_sequence"]},"objects":[{"type":"table","name":"t","sql":"CREATE TABLE t(a)"}],"virtual":[{"name":"f","load":"rebuild","config":[[{"text":"cGdzeg=="},{"int":"4"}]]}]}}`,
		`{"complete":true,"digest":{"database":"00","schema":"00","tables":[{"name":"t","rows":1,"digest":"00"}]}}`, `{"rows":1,"digest":"00","last":[{"int":"5"}]}`, `{"table":"t","columns":["a"],"last":[null]}`,
		`{"thaws":[{"table":"t","columns":["a"],"keys":[[{"int":"7"}],[{"text":"YQ=="},null]]}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, make := range []func() any{
			func() any { return new(wire.Hello) }, func() any { return new(wire.Claimed) }, func() any { return new(wire.ExportSchema) }, func() any { return new(wire.DigestReport) },
			func() any { return new(wire.RangeDigest) }, func() any { return new(wire.RangeRequest) }, func() any { return new(wire.Receipt) }, func() any { return new(wire.ErrorBody) },
			func() any { return new(wire.FinishAnswer) }, func() any { return new(wire.RowsAnswer) }, func() any { return new(wire.Thaws) },
		} {
			message, again := make(), make()
			if json.Unmarshal(body, message) != nil {
				continue
			}
			wantReadsBack(t, message, again)
			wantJudged(t, message)
		}
	})
}

func wantReadsBack(t *testing.T, message, again any) {
	t.Helper()
	first, err := json.Marshal(message)
	if err != nil {
		t.Fatalf("%T was read and cannot be written: %v", message, err)
	}
	must(t, json.Unmarshal(first, again))
	if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
		t.Errorf("%s became %s, %v", first, second, err)
	}
}

// wantJudged: what looks into a message, whatever is in it, comes to an end.
func wantJudged(t *testing.T, message any) {
	t.Helper()
	switch m := message.(type) {
	case *wire.ExportSchema:
		wire.SchemaDigest(m.Schema)
	case *wire.DigestReport:
		if m.Digest != nil {
			_ = m.Digest.Validate()
		}
	}
}

func FuzzParseRetryAfter(f *testing.F) {
	for _, seed := range []string{"3", "-1", "1e300", "99999999999999999999", "Mon, 23 Nov 2026 12:00:09 GMT", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		if wait := wire.ParseRetryAfter(header, time.Unix(1e9, 0)); wait < 0 {
			t.Errorf("%q is a wait of %s", header, wait)
		}
	})
}
