// Package initialize writes dbmigrate.toml from what is known, and asks for the rest.
package initialize

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Write asks for what is open, and writes dbmigrate.toml into the working folder. Settings that stand there
// already are replaced only by force.
func Write(ctx context.Context, in config.Input, p prompt.Prompt, force bool) (config.Settings, error) {
	if err := config.CheckProfile(in.Profile); err != nil {
		return config.Settings{}, err
	}
	s, from, err := settings(ctx, in, p)
	if err != nil {
		return s, err
	}
	return s, config.WriteOwn(filepath.Join(in.Dir, config.OwnName), in.Profile, from, s, force)
}

// settings come from flags and environment, then from the wrangler file, then from the person at the
// terminal.
func settings(ctx context.Context, in config.Input, p prompt.Prompt) (config.Settings, string, error) {
	given := config.Given(in)
	offered, from, err := offer(ctx, in, p)
	if err != nil {
		return config.Settings{}, "", err
	}
	s := config.Settings{
		AccountID:    cmp.Or(given.AccountID, offered.AccountID),
		WorkerURL:    cmp.Or(given.WorkerURL, offered.WorkerURL),
		R2Endpoint:   given.R2Endpoint,
		APIBaseURL:   given.APIBaseURL,
		Layout:       given.Layout,
		LocationHint: given.LocationHint,
	}
	if given.AccountID != "" && offered.AccountID != "" && given.AccountID != offered.AccountID &&
		in.Flags.AccountID == "" {
		return s, "", userdb.UsageError(
			"choose account",
			"",
			fmt.Sprintf(
				"%s says account %s and CLOUDFLARE_ACCOUNT_ID says %s",
				from,
				offered.AccountID,
				given.AccountID,
			),
			"choose with --account-id",
		)
	}
	bucket, missing := choose(given.Bucket, offered.Buckets)
	namespace, more := choose(given.KVNamespace, offered.Namespaces)
	questions := []question{
		{value: &s.AccountID, text: "Cloudflare account id", flag: "--account-id"},
		{value: &bucket.Value, text: "R2 bucket of the databases", flag: "--bucket", choices: missing},
		{
			value:   &namespace.Value,
			text:    "id of the KV namespace of the flags (`wrangler kv namespace list`)",
			flag:    "--kv-namespace",
			choices: more,
		},
		{
			value: &s.WorkerURL,
			text:  "address of the Worker that mounts the admin routes, with https://",
			flag:  "--worker-url",
		},
		{
			value:    &s.LocationHint,
			text:     "where your users are, such as weur, or none: new Durable Objects never move (empty: handleAdmin's locationHint says it)",
			flag:     "--location-hint",
			optional: true,
		},
	}
	if err := answer(ctx, questions, p); err != nil {
		return s, "", err
	}
	s.Bucket, s.KVNamespace, s.Jurisdiction = bucket.Value, namespace.Value, jurisdictionOf(
		bucket.Value,
		offered.Buckets,
	)
	return s, from, s.Check()
}

// offer is what the wrangler file says, for the environment that was chosen. from names both.
func offer(ctx context.Context, in config.Input, ask prompt.Prompt) (o config.Offer, from string, err error) {
	p, err := config.OpenProject(in)
	if err != nil || p == nil {
		return o, "", err
	}
	if len(p.Environments) > 0 && !in.EnvironmentSet && in.Getenv("CLOUDFLARE_ENV") == "" && ask.AtTerminal() {
		in.Environment, err = ask.Ask(
			ctx,
			fmt.Sprintf(
				"Which environment of %s: %s (empty: the top level)? ",
				filepath.Base(p.Path),
				strings.Join(p.Environments, ", "),
			),
		)
		if err != nil {
			return o, "", err
		}
		in.EnvironmentSet = true
	}
	o, environment, err := p.Choose(in)
	from = filepath.Base(p.Path)
	if environment != "" {
		from += ", environment " + environment
	}
	return o, from, err
}

// choose takes what was given, or the only one that is offered; of several a person has to choose.
func choose(given string, offered []config.Choice) (one config.Choice, open []config.Choice) {
	switch {
	case given != "":
		return config.Choice{Value: given}, nil
	case len(offered) == 1:
		return offered[0], nil
	}
	return config.Choice{}, offered
}

func jurisdictionOf(bucket string, offered []config.Choice) string {
	for _, c := range offered {
		if c.Value == bucket {
			return c.Jurisdiction
		}
	}
	return ""
}

// question is a setting that may be open, and the flag that answers it.
type question struct {
	value   *string
	text    string
	flag    string
	choices []config.Choice
	// optional may be left open: a later command asks for it where it is needed.
	optional bool
}

// answer asks for what is open. Without a terminal all of it is named at once.
func answer(ctx context.Context, questions []question, p prompt.Prompt) error {
	var open []string
	for _, q := range questions {
		if *q.value != "" || q.optional && !p.AtTerminal() {
			continue
		}
		if !p.AtTerminal() {
			open = append(open, q.flag+q.names())
			continue
		}
		text, err := p.Ask(ctx, q.text+q.names()+": ")
		if err != nil {
			return err
		}
		if *q.value = strings.TrimSpace(text); *q.value == "" && !q.optional {
			return userdb.UsageError("set up", "", "no answer: nothing was written", "pass "+q.flag)
		}
	}
	if len(open) > 0 {
		return userdb.UsageError(
			"set up",
			"",
			"flags, environment and wrangler file leave something open, and there is no terminal to ask at: nothing was written",
			"pass "+strings.Join(open, ", "),
		)
	}
	return nil
}

func (q question) names() string {
	var names []string
	for _, c := range q.choices {
		names = append(names, fmt.Sprintf("%s (%s)", c.Value, c.Binding))
	}
	if len(names) == 0 {
		return ""
	}
	return ", one of " + strings.Join(names, ", ")
}
