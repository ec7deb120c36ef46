package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/suggest"
)

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(a *app) *cobra.Command {
	cmd := described("completion", func(cmd *cobra.Command, args []string) error { return a.complete(cmd.Root(), args[0]) })
	cmd.ValidArgs = shells
	cmd.Args = oneShell
	return cmd
}

func oneShell(cmd *cobra.Command, args []string) error {
	all := "one of " + strings.Join(shells, ", ")
	if err := commandline.OneArgument("a shell", all)(cmd, args); err != nil {
		return err
	}
	if !slices.Contains(shells, args[0]) {
		return usageError("choose shell", fmt.Sprintf("%q", args[0]), "there is no completion for it",
			suggest.Hint(args[0], shells)+all)
	}
	return nil
}

func (a *app) complete(root *cobra.Command, shell string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.results, true)
	case "zsh":
		return root.GenZshCompletion(a.results)
	case "fish":
		return root.GenFishCompletion(a.results, true)
	}
	return root.GenPowerShellCompletionWithDesc(a.results)
}
