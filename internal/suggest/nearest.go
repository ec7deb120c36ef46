// Package suggest finds what a person probably meant.
package suggest

import (
	"strconv"
	"strings"
)

// Word is the candidate that is nearest to word, or "" when none is near: more than a third of the letters
// (at least two) would have to change. A candidate that begins with word is near whatever its length.
func Word(word string, candidates []string) string {
	best, bestDistance := "", max(2, len(word)/3)+1
	for _, candidate := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(candidate))
		if len(word) > 1 && strings.HasPrefix(candidate, word) {
			d = min(d, 1)
		}
		if d < bestDistance && d < len(candidate) {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// Hint is "did you mean x? " or "".
func Hint(word string, candidates []string) string {
	if near := Word(word, candidates); near != "" {
		return "did you mean " + near + "? "
	}
	return ""
}

// Or asks for the word that was probably meant, in quotes, and says otherwise where none is near.
func Or(word string, candidates []string, otherwise string) string {
	if near := Word(word, candidates); near != "" {
		return "did you mean " + strconv.Quote(near) + "?"
	}
	return otherwise
}

// distance counts the single letters that have to be put in, taken out or replaced, two swapped neighbours
// counting once.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	rows := make([][]int, len(x)+1)
	for i := range rows {
		rows[i] = make([]int, len(y)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			replace := rows[i-1][j-1]
			if x[i-1] != y[j-1] {
				replace++
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, replace)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(x)][len(y)]
}
