package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/config"
)

func newInit(a *app) *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write dbmigrate.toml: which account, bucket, namespace and Worker",
		Long: "Write a small configuration file, dbmigrate.toml, from what the wrangler file of this project says, and ask at the terminal\n" +
			"for what it leaves open: which environment, which of several buckets, ids that wrangler makes on deploy. Nothing is\n" +
			"guessed; without a terminal, what is missing has to come from flags, or nothing is written.\n\n" +
			"The file holds no secrets, so it can be committed. --profile writes a part of it for one environment, and every other\n" +
			"command takes that part with --profile. Then say dbmigrate doctor.",
		Example: "  dbmigrate init\n" +
			"  dbmigrate init --env production --profile production --worker-url https://app.example.com --location-hint weur\n" +
			"  dbmigrate init --account-id 0123 --bucket users --kv-namespace abcd --worker-url https://app.example.com",
		Annotations: manual{
			reads:   "wrangler.json, .jsonc or .toml, from here upward; nothing at Cloudflare",
			changes: "dbmigrate.toml in this folder",
			undo:    "delete the file, or the profile's part of it",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.init(cmd, force) },
	}
	cmd.Flags().
		BoolVar(&force, "force", false, "replace settings that stand there already; comments of yours in the file are lost then")
	return cmd
}

func (a *app) init(cmd *cobra.Command, force bool) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	if err := config.CheckProfile(in.Profile); err != nil {
		return err
	}
	s, from, err := a.settings(cmd.Context(), in)
	if err != nil {
		return err
	}
	if err := config.WriteOwn(filepath.Join(in.Dir, config.OwnName), in.Profile, from, s, force); err != nil {
		return err
	}
	next := "dbmigrate doctor"
	if in.Profile != "" {
		next += " --profile " + in.Profile
	}
	a.out.Say(
		"init: wrote %s: account %s, bucket %s, KV namespace %s, Worker %s; now set the secrets and say %s",
		config.OwnName,
		s.AccountID,
		s.Bucket,
		s.KVNamespace,
		s.WorkerURL,
		next,
	)
	return nil
}

// settings come from flags and environment, then from the wrangler file, then from the person at the
// terminal.
func (a *app) settings(ctx context.Context, in config.Input) (config.Settings, string, error) {
	given := config.Given(in)
	offer, from, err := a.offer(ctx, in)
	if err != nil {
		return config.Settings{}, "", err
	}
	s := config.Settings{
		AccountID:    cmp.Or(given.AccountID, offer.AccountID),
		WorkerURL:    cmp.Or(given.WorkerURL, offer.WorkerURL),
		R2Endpoint:   given.R2Endpoint,
		APIBaseURL:   given.APIBaseURL,
		Layout:       given.Layout,
		LocationHint: given.LocationHint,
	}
	if given.AccountID != "" && offer.AccountID != "" && given.AccountID != offer.AccountID &&
		in.Flags.AccountID == "" {
		return s, "", usageError(
			"choose account",
			"",
			fmt.Sprintf(
				"%s says account %s and CLOUDFLARE_ACCOUNT_ID says %s",
				from,
				offer.AccountID,
				given.AccountID,
			),
			"say which with --account-id",
		)
	}
	bucket, missing := choose(given.Bucket, offer.Buckets)
	namespace, more := choose(given.KVNamespace, offer.Namespaces)
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
	if err := a.answer(ctx, questions); err != nil {
		return s, "", err
	}
	s.Bucket, s.KVNamespace, s.Jurisdiction = bucket.Value, namespace.Value, jurisdictionOf(
		bucket.Value,
		offer.Buckets,
	)
	return s, from, s.Check()
}

// offer is what the wrangler file says, for the environment that was chosen. from names both.
func (a *app) offer(ctx context.Context, in config.Input) (o config.Offer, from string, err error) {
	p, err := config.OpenProject(in)
	if err != nil || p == nil {
		return o, "", err
	}
	if len(p.Environments) > 0 && !in.EnvironmentSet && in.Getenv("CLOUDFLARE_ENV") == "" && a.atTerminal() {
		in.Environment, err = a.prompt().Ask(
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
func (a *app) answer(ctx context.Context, questions []question) error {
	var open []string
	for _, q := range questions {
		if *q.value != "" || q.optional && !a.atTerminal() {
			continue
		}
		if !a.atTerminal() {
			open = append(open, q.flag+q.names())
			continue
		}
		text, err := a.prompt().Ask(ctx, q.text+q.names()+": ")
		if err != nil {
			return err
		}
		if *q.value = strings.TrimSpace(text); *q.value == "" && !q.optional {
			return usageError("set up", "", "no answer: nothing was written", "say "+q.flag)
		}
	}
	if len(open) > 0 {
		return usageError(
			"set up",
			"",
			"flags, environment and wrangler file leave something open, and there is no terminal to ask at: nothing was written",
			"say "+strings.Join(open, ", "),
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

func (a *app) atTerminal() bool { return a.prompt().AtTerminal() }
