package race

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// outcome is what the sender of a request knows afterwards.
type outcome int

const (
	applied   outcome = iota // acknowledged
	elsewhere                // the side that was asked does not have the rows; nothing was written
	refused                  // the answer promises that nothing was written
	unknown                  // no answer, or one that leaves it open
	notSent                  // no connection
)

// answer is an outcome with what an acknowledged request showed.
type answer struct {
	outcome  outcome
	byFile   bool // the file answered, not the Durable Object
	ledger   ledger
	snapshot snapshot // of readAll
}

// scope says which half of a split user's database a request means.
type scope string

const (
	hot  scope = "" // what the router takes requests for that name none
	cold scope = "cold"
)

// append writes op to a part and counts it, in one transaction, which does nothing where the counter of the
// part is not.
func (w *world) append(u userdb.UserID, p part, in scope, op int64) (answer, error) {
	a, reply, err := w.query(u, query{
		Mode: "write", Scope: in, Statements: appending(p, op), grows: rand.Float64() < w.custom.grows,
	})
	return a.withLedger(reply), err
}

// appendAnywhere does the same with a write that finds its row by itself.
func (w *world) appendAnywhere(u userdb.UserID, p part, op int64) (answer, error) {
	a, reply, err := w.post(u, "write", query{Table: "{counter}", Key: w.counterKey(u, p), Statements: appending(p, op)})
	return a.withLedger(reply), err
}

// counterKey names the counter of a part.
func (w *world) counterKey(u userdb.UserID, p part) map[string]int64 {
	return map[string]int64{w.personOf(u).names.of["c.archived"]: int64(p)}
}

// locate asks where the counter of a part is.
func (w *world) locate(u userdb.UserID, p part) (answer, string, error) {
	a, reply, err := w.post(u, "locate", query{Table: "{counter}", Key: w.counterKey(u, p)})
	return a, reply.Place, err
}

func appending(p part, op int64) []statement {
	return []statement{
		{
			SQL:    "update {counter} set {c.n} = {c.n} + 1, {c.last} = ? where {c.archived} = ? returning {c.n}, {c.last}",
			Params: []int64{op, int64(p)},
		},
		{
			SQL:    "insert into {entries}({e.archived}, {e.op}, {e.n}) select {c.archived}, {c.last}, {c.n} from {counter} where {c.archived} = ?",
			Params: []int64{int64(p)},
		},
	}
}

// look reads a part's ledger.
func (w *world) look(u userdb.UserID, p part, in scope) (answer, error) {
	a, reply, err := w.query(u, query{Mode: "read", Scope: in, Statements: []statement{
		{SQL: "select {c.n}, {c.last} from {counter} where {c.archived} = ?", Params: []int64{int64(p)}}}})
	return a.withLedger(reply), err
}

// withLedger adds the ledger that the first statement answered, if there was one.
func (a answer) withLedger(r reply) answer {
	if a.outcome != applied {
		return a
	}
	rows := r.Results[0].Rows
	if len(rows) == 0 {
		a.outcome = elsewhere
		return a
	}
	a.ledger = ledger{n: rows[0][0], last: rows[0][1]}
	return a
}

// readAll reads both ledgers and every entry; of users who are split, both halves.
func (w *world) readAll(u userdb.UserID) (answer, error) {
	if w.Split {
		a, reply, err := w.post(
			u,
			"both",
			query{Statements: []statement{{SQL: counterQuery}, {SQL: splitEntriesQuery}}},
		)
		if err == nil && a.outcome == applied {
			a.snapshot = assemble(reply.halves()...)
		}
		return a, err
	}
	a, reply, err := w.query(
		u,
		query{Mode: "read", Statements: []statement{{SQL: counterQuery}, {SQL: entriesQuery}}},
	)
	if err == nil && a.outcome == applied {
		a.snapshot = assemble(reply.half)
	}
	return a, err
}

// query is a request's body.
type query struct {
	Mode       string           `json:"mode,omitempty"`
	Scope      scope            `json:"scope,omitempty"`
	Statements []statement      `json:"statements,omitempty"`
	Merge      []mergeRule      `json:"merge,omitempty"`
	Table      string           `json:"table,omitempty"`
	Key        map[string]int64 `json:"key,omitempty"`
	grows      bool
}

type statement struct {
	SQL    string  `json:"sql"`
	Params []int64 `json:"params,omitempty"`
}

// reply is a response's body: one half, or both, or an error.
type reply struct {
	half
	Hot, Cold *half
	Merged    []rowsOf
	Place     string
	Error     struct {
		Kind string `json:"kind"`
	} `json:"error"`
}

type half struct {
	Side    string   `json:"side"`
	Results []rowsOf `json:"results"`
}

// rowsOf is what one statement answers.
type rowsOf struct {
	Rows [][]int64 `json:"rows"`
}

// halves are those of an answer to a read of both; a user who is not split has one.
func (r reply) halves() []half {
	if r.Cold == nil {
		return []half{*r.Hot}
	}
	return []half{*r.Hot, *r.Cold}
}

func (w *world) query(u userdb.UserID, q query) (answer, reply, error) { return w.post(u, "query", q) }

// post sends one request, with the user's names in it. Only answers that no application should ever get are
// errors.
func (w *world) post(u userdb.UserID, route string, q query) (answer, reply, error) {
	n := w.personOf(u).names
	for i := range q.Statements {
		q.Statements[i].SQL = n.sql(q.Statements[i].SQL)
	}
	q.Table = n.bare(q.Table)
	body, err := json.Marshal(q)
	if err != nil {
		return answer{outcome: notSent}, reply{}, err
	}
	request, err := http.NewRequest(
		http.MethodPost,
		w.url+"/api/users/"+string(u)+"/"+route,
		bytes.NewReader(body),
	)
	if err != nil {
		return answer{outcome: notSent}, reply{}, err
	}
	request.Header.Set("Authorization", "Bearer "+w.stack.AppToken)
	request.Header.Set("Content-Type", "application/json")
	if q.grows {
		request.Header.Set("Test-Grow-Schema", w.custom.growth) // worker/test-entry/calls.ts
	}
	if rand.Float64() < w.custom.dawdlers {
		request.Header.Set("Test-Dawdle-Ms", "600") // worker/test-entry/stale.ts
	}
	request.GetBody = nil // Go must not send a write again by itself
	response, err := w.http.Do(request)
	if err != nil {
		return answer{outcome: withoutAnswer(err)}, reply{}, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{outcome: unknown}, reply{}, nil
	}
	a, r, err := understand(response.StatusCode, text)
	if a.outcome == applied && response.Header.Get("Test-Called") != "" {
		w.figure.called.Add(1)
		if q.grows {
			w.figure.grown.Add(1)
		}
	}
	return a, r, err
}

// withoutAnswer tells a connection that could not be made from one that broke.
func withoutAnswer(err error) outcome {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return notSent
	}
	return unknown
}

func understand(status int, text []byte) (answer, reply, error) {
	var r reply
	parsed := json.Unmarshal(text, &r) == nil
	switch {
	case status == http.StatusOK && parsed:
		return answer{byFile: r.Side == "file"}, r, nil
	case r.Error.Kind == "not-split":
		return answer{outcome: elsewhere}, r, nil
	case r.Error.Kind == "cutover-in-progress" || r.Error.Kind == "overloaded":
		return answer{outcome: refused}, r, nil
	case r.Error.Kind == "outcome-unknown" || r.Error.Kind == "internal" || status >= 500:
		return answer{outcome: unknown}, r, nil
	}
	return answer{outcome: unknown}, r, fmt.Errorf("the application got HTTP %d: %s", status, text)
}
