package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// Traced are the statements that Durable Objects of a Worker have run that traces them
// (worker/test-entry/traced.ts).
func Traced(cloud *stack.Stack) ([]string, error) {
	answer, err := http.Get(cloud.URL + "/test/traced")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var statements []string
	if err := json.NewDecoder(answer.Body).Decode(&statements); err != nil {
		return nil, fmt.Errorf("read the traced statements (HTTP %d): %w", answer.StatusCode, err)
	}
	return statements, nil
}

var identifier = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// Identifiers are all words of the statements, in lower case and sorted, but those that SQLite or Cloudflare
// keep for themselves.
func Identifiers(statements []string) []string {
	seen := map[string]bool{}
	for _, sql := range statements {
		for _, word := range identifier.FindAllString(sql, -1) {
			seen[strings.ToLower(word)] = true
		}
	}
	var words []string
	for word := range seen {
		if !strings.HasPrefix(word, "sqlite_") && !strings.HasPrefix(word, "_cf_") &&
			!strings.HasPrefix(word, "__miniflare") {
			words = append(words, word)
		}
	}
	slices.Sort(words)
	return words
}
