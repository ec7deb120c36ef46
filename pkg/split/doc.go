// Package split decides which rows of a user's database are cold, writes the two files that then hold its
// rows, and joins such files again. It knows neither bucket nor Durable Object: docs/split.md describes the
// policy and the whole of split mode.
//
// LoadPolicy reads the rules, NewPlan applies them to a file at one moment, Plan.WriteParts makes and proves
// the parts, Union goes back.
package split
