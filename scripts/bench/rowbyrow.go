package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// naiveDatabase is what peer/index.js takes: everything at once, blobs in base64, nothing checked.
type naiveDatabase struct {
	Before []string     `json:"before"`
	Tables []naiveTable `json:"tables"`
	After  []string     `json:"after"`
}

type naiveTable struct {
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// rowByRow imports the file into a Durable Object the way a first script does it: one JSON body, one INSERT
// per row.
func rowByRow(ctx context.Context, url string, db database) (time.Duration, error) {
	begun := time.Now()
	whole, err := readNaively(ctx, db.path)
	if err != nil {
		return 0, err
	}
	body, err := json.Marshal(whole)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if want := fmt.Sprintf(`{"rows":%d}`, db.Rows); resp.StatusCode != http.StatusOK ||
		string(answer) != want {
		return 0, fmt.Errorf("the naive import answers HTTP %d %.200s", resp.StatusCode, answer)
	}
	return time.Since(begun), nil
}

func readNaively(ctx context.Context, path string) (naiveDatabase, error) {
	var whole naiveDatabase
	db, err := sql.Open("sqlite", "file:"+path+"?mode=ro")
	if err != nil {
		return whole, err
	}
	defer db.Close()
	objects, err := db.QueryContext(
		ctx,
		"SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'",
	)
	if err != nil {
		return whole, err
	}
	defer objects.Close()
	for objects.Next() {
		var kind, name, text string
		if err := objects.Scan(&kind, &name, &text); err != nil {
			return whole, err
		}
		if kind != "table" {
			whole.After = append(whole.After, text)
			continue
		}
		table, err := readTableNaively(ctx, db, name)
		if err != nil {
			return whole, err
		}
		whole.Before, whole.Tables = append(whole.Before, text), append(whole.Tables, table)
	}
	return whole, objects.Err()
}

func readTableNaively(ctx context.Context, db *sql.DB, name string) (naiveTable, error) {
	table := naiveTable{Name: name}
	rows, err := db.QueryContext(ctx, `SELECT * FROM "`+strings.ReplaceAll(name, `"`, `""`)+`"`)
	if err != nil {
		return table, err
	}
	defer rows.Close()
	if table.Columns, err = rows.Columns(); err != nil {
		return table, err
	}
	for rows.Next() {
		row := make([]any, len(table.Columns))
		targets := make([]any, len(row))
		for i := range row {
			targets[i] = &row[i]
		}
		if err := rows.Scan(targets...); err != nil {
			return table, err
		}
		table.Rows = append(table.Rows, row)
	}
	return table, rows.Err()
}
