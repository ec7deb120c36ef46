package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func backRequest() wire.BackRequest {
	return wire.BackRequest{
		Claim: wire.ClaimRequest{
			Intent: wire.IntentRollback,
			Seen:   3,
			ID:     "0123456789abcdef0123456789abcdef",
		},
		ETag:     "0123456789abcdef0123456789abcdef",
		Modified: 1_800_000_000,
		Source:   strings.Repeat("0123456789abcdef", 4),
	}
}

func buildBack(t *testing.T) backFile {
	whole, err := json.Marshal(backRequest())
	must(t, err)
	file := backFile{Requests: []backVector{{"whole", string(whole), map[string]string{}}}}
	broken := func(name, from, to string) {
		text := strings.Replace(string(whole), from, to, 1)
		if text == string(whole) {
			t.Fatalf("%s: %q is not there", name, from)
		}
		file.Requests = append(
			file.Requests,
			backVector{name, text, map[string]string{"error": wire.KindBadRequest}},
		)
	}
	broken("a claim to migrate", `"rollback"`, `"migrate"`)
	broken("no claim", `"claim":`, `"clam":`)
	broken("no id", `"id":`, `"di":`)
	broken("a gen below 0", `"seen":3`, `"seen":-1`)
	broken("an ETag in quotes", `"etag":"0123456789`, `"etag":"\"123456789`)
	broken("no date", `"modified":`, `"modifed":`)
	broken("a SHA-256 that is too short", `"source":"0`, `"source":"`)
	file.Answers = buildExported()
	return file
}

func buildExported() []exportedVector {
	status := wire.Status{Phase: "SEALED", Gen: 4, Lin: 3, Intent: wire.IntentRollback, Writes: 9, WritesAtActivation: 7}
	digest := wire.DatabaseDigest{Database: strings.Repeat("a", 64), Schema: strings.Repeat("b", 64)}
	columns := []string{"rowid", "a", "b", "c", "d"}
	page := &wire.ExportPage{ExportHeader: wire.ExportHeader{
		Table: "games", Columns: columns, Rows: 1, Last: wire.Key{wire.IntValue(1)}, Done: true,
		Writes: 9, Phase: "SEALED", Gen: 4,
	}}
	page.Cells, page.Reals = wire.AppendRow(nil, nil, generatedRow(0))
	all := &wire.Exported{
		Claimed: wire.Claimed{Status: status, Outcome: wire.OutcomeExport},
		Digest:  &wire.DigestReport{Phase: "SEALED", Gen: 4, Lin: 3, Writes: 9, Complete: true, Digest: &digest},
		Schema:  &wire.ExportSchema{Writes: 9, Phase: "SEALED"},
		Pages:   []*wire.ExportPage{page, page},
	}
	out := []exportedVector{exportedOf("two tables", all)}
	released := *all
	released.Claimed.Phase, released.Claimed.Lin = "EMPTY", 0
	released.Digest, released.Schema, released.Pages = nil, nil, nil
	out = append(out, exportedOf("released before", &released))
	whole := wire.AppendExported(nil, all)
	broken := func(name string, body []byte) {
		out = append(out, exportedVector{name, hex.EncodeToString(body), exportedWant{Error: wire.KindBadBatch}})
	}
	broken("empty", nil)
	broken("another magic", append([]byte("DMX1"), whole[4:]...))
	for _, cut := range []int{3, 6, 20, len(whole) - 1, len(whole) - 300} {
		broken(fmt.Sprintf("cut off at byte %d", cut), whole[:cut])
	}
	broken("a header that is no JSON", bytes.Replace(whole, []byte(`{"claimed`), []byte(`{'claimed`), 1))
	broken("a table that goes on", bytes.ReplaceAll(whole, []byte(`"done":true`), []byte(`"done":null`)))
	return out
}

func exportedOf(name string, e *wire.Exported) exportedVector {
	head, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	want := exportedWant{Head: string(head)}
	for _, p := range e.Pages {
		want.Pages = append(want.Pages, hex.EncodeToString(wire.AppendExportPage(nil, p)))
	}
	return exportedVector{name, hex.EncodeToString(wire.AppendExported(nil, e)), want}
}

func TestExportedVectors(t *testing.T) {
	for _, c := range readVectors[backFile](t, "back.json").Answers {
		t.Run(c.Name, func(t *testing.T) {
			all, err := wire.ParseExported(unhex(t, c.Body))
			if c.Expect.Error != "" {
				wantFormatError(t, err, c.Expect.Error)
				return
			}
			must(t, err)
			var want wire.Exported
			must(t, json.Unmarshal([]byte(c.Expect.Head), &want))
			if !reflect.DeepEqual(all.Claimed, want.Claimed) || !reflect.DeepEqual(all.Digest, want.Digest) ||
				!reflect.DeepEqual(all.Schema, want.Schema) || len(all.Pages) != len(c.Expect.Pages) {
				t.Errorf("%+v with %d pages, want %s", all, len(all.Pages), c.Expect.Head)
			}
			for i, p := range all.Pages {
				if got := hex.EncodeToString(wire.AppendExportPage(nil, p)); got != c.Expect.Pages[i] {
					t.Errorf("page %d is %s", i, got)
				}
				if cap(p.Body) != len(p.Body) {
					t.Errorf("page %d has the memory of the one behind it", i)
				}
			}
		})
	}
}
