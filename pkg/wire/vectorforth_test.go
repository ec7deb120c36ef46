package wire_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// The composite requests of the way forth: `import` and `switch`.
type (
	forthFile struct {
		Imports  []importVector `json:"imports"`
		Switches []switchVector `json:"switches"`
	}
	importVector struct {
		Name   string     `json:"name"`
		Body   string     `json:"body"`
		Expect importWant `json:"expect"`
	}
	importWant struct {
		Error  string              `json:"error,omitempty"`
		Header *wire.ImportRequest `json:"header,omitempty"`
		Batch  string              `json:"batch,omitempty"`
	}
	switchVector struct {
		Name   string            `json:"name"`
		JSON   string            `json:"json"`
		Expect map[string]string `json:"expect"`
	}
)

func importRequest(batch []byte) wire.ImportRequest {
	return wire.ImportRequest{
		Claim: wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: 2, ID: "0123456789abcdef0123456789abcdef"},
		ETag:  "0123456789abcdef0123456789abcdef",
		Schema: wire.Schema{
			Header:  wire.Header{PageSize: 4096, Encoding: "UTF-8", WriteVersion: 1, ReadVersion: 1, Internal: []string{}},
			Objects: []wire.Object{{Type: "table", Name: "zehn ä", Table: "zehn ä", SQL: `CREATE TABLE "zehn ä" (a)`}},
			Virtual: []wire.Virtual{},
		},
		Batch: batch,
	}
}

func buildForth(t *testing.T) forthFile {
	return forthFile{buildImports(t), buildSwitches(t)}
}

func buildImports(t *testing.T) []importVector {
	var out []importVector
	valid := func(name string, request wire.ImportRequest) {
		body, err := request.Encode()
		must(t, err)
		want := importWant{Header: &request, Batch: hex.EncodeToString(request.Batch)}
		out = append(out, importVector{name, hex.EncodeToString(body), want})
	}
	batch := wire.NewBatch(nil)
	batch.AppendRow("zehn ä", []string{"rowid", "a"}, 0, []wire.Value{wire.IntValue(1), wire.TextValue("x")})
	whole := importRequest(batch.Bytes())
	valid("one row", whole)
	valid("no rows", importRequest(nil))
	body, err := whole.Encode()
	must(t, err)
	refused := func(name string, body []byte, kind string) {
		out = append(out, importVector{name, hex.EncodeToString(body), importWant{Error: kind}})
	}
	refused("empty", nil, wire.KindBadBatch)
	refused("another magic", append([]byte("DMR1"), body[4:]...), wire.KindBadBatch)
	refused("cut off in the length", body[:6], wire.KindBadBatch)
	refused("cut off in the header", body[:40], wire.KindBadBatch)
	for name, change := range map[string][2]string{
		"no id":              {`"id":`, `"di":`},
		"a gen below 0":      {`"seen":2`, `"seen":-`},
		"an ETag in quotes":  {`"etag":"01`, `"etag":"\"`},
		"an unknown intent":  {`"intent":"migrate"`, `"intent":"wander!"`},
		"JSON that goes on":  {`"virtual":[]}}`, `"virtual":[]}]`},
		"an unknown type":    {`"type":"table"`, `"type":"tabel"`},
		"no schema":          {`"schema":{"header"`, `"shcema":{"header"`},
		"an encoding of old": {`"UTF-8"`, `"UTF-7"`},
	} {
		text := strings.Replace(string(body), change[0], change[1], 1)
		if text == string(body) || len(text) != len(body) {
			t.Fatalf("%s: %q", name, change)
		}
		refused(name, []byte(text), wire.KindBadRequest)
	}
	slices.SortStableFunc(out, func(a, b importVector) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func buildSwitches(t *testing.T) []switchVector {
	digest := wire.DatabaseDigest{Database: strings.Repeat("a", 64), Schema: strings.Repeat("b", 64)}
	head := make([]byte, userdb.HeaderBytes)
	copy(head, "SQLite format 3\x00")
	head[18], head[19] = 1, 1
	head, err := userdb.WithFence(head, 3, 3, bytes.Repeat([]byte{7}, userdb.MarkRandomBytes))
	must(t, err)
	whole, err := json.Marshal(wire.SwitchRequest{
		Gen: 3,
		Mark: wire.MarkRequest{ETag: strings.Repeat("0123456789abcdef", 2), Modified: 1_800_000_000, Head: head,
			MD5: strings.Repeat("fedcba9876543210", 2), Metadata: map[string]string{"dbmigrate-fence": "3.3"}},
		Digest: digest,
		Receipt: wire.Receipt{User: "alice", Bucket: "b", Key: "alice/database.sqlite", Claim: 3,
			FencedETag: userdb.ETag(`"` + strings.Repeat("fedcba9876543210", 2) + `"`), Digest: digest},
	})
	must(t, err)
	out := []switchVector{{"whole", string(whole), map[string]string{}}}
	broken := func(name, from, to string) {
		text := strings.Replace(string(whole), from, to, 1)
		if text == string(whole) {
			t.Fatalf("%s: %q is not there", name, from)
		}
		out = append(out, switchVector{name, text, map[string]string{"error": wire.KindBadRequest}})
	}
	broken("no claim", `"gen":`, `"neg":`)
	broken("no mark", `"mark":`, `"krma":`)
	broken("a header that is too short", `"head":"U1FM`, `"head":"`)
	broken("a digest that is too short", `"database":"a`, `"database":"`)
	broken("no receipt", `"receipt":`, `"recipe":`)
	broken("metadata of others", `"dbmigrate-fence"`, `"their-fence"`)
	return out
}

// TestForthVectors: what stands in the vectors is what the client sends.
func TestForthVectors(t *testing.T) {
	file := readVectors[forthFile](t, "forth.json")
	for _, c := range file.Imports {
		if c.Expect.Error != "" {
			continue // the client only writes them
		}
		request := *c.Expect.Header
		request.Batch = unhex(t, c.Expect.Batch)
		if body, err := request.Encode(); err != nil || hex.EncodeToString(body) != c.Body {
			t.Errorf("%s is %x, %v", c.Name, body, err)
		}
	}
	for _, c := range file.Switches {
		var request wire.SwitchRequest
		if err := json.Unmarshal([]byte(c.JSON), &request); err != nil {
			continue
		}
		if body, err := json.Marshal(request); c.Expect["error"] == "" && (err != nil || string(body) != c.JSON) {
			t.Errorf("%s is %s, %v", c.Name, body, err)
		}
	}
}
