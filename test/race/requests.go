package race

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// outcome is what the sender of a request knows afterwards.
type outcome int

const (
	applied outcome = iota // acknowledged
	refused                // the answer promises that nothing was written
	unknown                // no answer, or one that leaves it open
	notSent                // no connection
)

// answer is an outcome with what an acknowledged request showed.
type answer struct {
	outcome outcome
	byFile  bool // the file answered, not the Durable Object
	ledger  ledger
	entries []int64 // of readAll, in the order in which they were written
}

const ledgerQuery = "select n, coalesce((select op from entries order by rowid desc limit 1), 0) from counter"

// append writes op and counts it, in one transaction.
func (w *world) append(u userdb.UserID, op int64) (answer, error) {
	a, rows, err := w.query(u, "write",
		statement{SQL: "insert into entries(op) values (?)", Params: []int64{op}},
		statement{SQL: "update counter set n = n + 1 returning n"})
	if err == nil && a.outcome == applied {
		a.ledger = ledger{n: rows[1][0][0], last: op}
	}
	return a, err
}

// look reads the ledger.
func (w *world) look(u userdb.UserID) (answer, error) {
	a, rows, err := w.query(u, "read", statement{SQL: ledgerQuery})
	if err == nil && a.outcome == applied {
		a.ledger = ledger{n: rows[0][0][0], last: rows[0][0][1]}
	}
	return a, err
}

// readAll reads the ledger and every entry.
func (w *world) readAll(u userdb.UserID) (answer, error) {
	a, rows, err := w.query(u, "read", statement{SQL: ledgerQuery}, statement{SQL: "select op from entries order by rowid"})
	if err != nil || a.outcome != applied {
		return a, err
	}
	a.ledger = ledger{n: rows[0][0][0], last: rows[0][0][1]}
	for _, row := range rows[1] {
		a.entries = append(a.entries, row[0])
	}
	return a, nil
}

type statement struct {
	SQL    string  `json:"sql"`
	Params []int64 `json:"params,omitempty"`
}

// query sends one request and returns the rows of each statement, if it was applied. Only answers that no application should ever get are errors.
func (w *world) query(u userdb.UserID, mode string, statements ...statement) (answer, [][][]int64, error) {
	body, err := json.Marshal(map[string]any{"mode": mode, "statements": statements})
	if err != nil {
		return answer{outcome: notSent}, nil, err
	}
	request, err := http.NewRequest(http.MethodPost, w.url+"/api/users/"+string(u)+"/query", bytes.NewReader(body))
	if err != nil {
		return answer{outcome: notSent}, nil, err
	}
	request.Header.Set("Authorization", "Bearer "+w.stack.AppToken)
	request.Header.Set("Content-Type", "application/json")
	request.GetBody = nil // Go must not send a write again by itself
	response, err := w.http.Do(request)
	if err != nil {
		return answer{outcome: withoutAnswer(err)}, nil, nil
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{outcome: unknown}, nil, nil
	}
	return understand(response.StatusCode, text)
}

// withoutAnswer tells a connection that could not be made from one that broke.
func withoutAnswer(err error) outcome {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" {
		return notSent
	}
	return unknown
}

func understand(status int, text []byte) (answer, [][][]int64, error) {
	var body struct {
		Side    string `json:"side"`
		Results []struct {
			Rows [][]int64 `json:"rows"`
		} `json:"results"`
		Error struct {
			Kind string `json:"kind"`
		} `json:"error"`
	}
	parsed := json.Unmarshal(text, &body) == nil
	switch {
	case status == http.StatusOK && parsed:
		var rows [][][]int64
		for _, result := range body.Results {
			rows = append(rows, result.Rows)
		}
		return answer{byFile: body.Side == "file"}, rows, nil
	case body.Error.Kind == "cutover-in-progress" || body.Error.Kind == "overloaded":
		return answer{outcome: refused}, nil, nil
	case body.Error.Kind == "outcome-unknown" || body.Error.Kind == "internal" || status >= 500:
		return answer{outcome: unknown}, nil, nil
	}
	return answer{outcome: unknown}, nil, fmt.Errorf("the application got HTTP %d: %s", status, text)
}
