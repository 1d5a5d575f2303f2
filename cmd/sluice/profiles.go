package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"
)

// defaultProfile is the name of the login that has been given none.
const defaultProfile = "default"

// loginPath returns where the login of a profile is kept, or "" where the
// system has no folder for settings.
func loginPath(profile string) string {
	dir, err := os.UserConfigDir()
	if err != nil {
		return ""
	}
	name := "login.json"
	if profile != defaultProfile {
		name = "login-" + profile + ".json"
	}
	return filepath.Join(dir, "sluice", name)
}

// validProfile reports whether a profile may have that name, which is part of a
// file's.
func validProfile(name string) bool {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`).MatchString(name)
}

// readProfiles returns the accounts that somebody is logged in at, the default
// one first and the others by name.
func readProfiles() ([]*account, error) {
	path := loginPath(defaultProfile)
	if path == "" {
		return nil, nil
	}
	names := []string{defaultProfile}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "login-*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "login-"), ".json")
		if validProfile(name) && name != defaultProfile {
			names = append(names, name)
		}
	}
	var profiles []*account
	for _, name := range names {
		l, err := readLogin(loginPath(name))
		if err != nil {
			return nil, err
		}
		if l != nil {
			profiles = append(profiles, newAccount(name, l.Server, l))
		}
	}
	return profiles, nil
}

func profilesCommand() *cobra.Command {
	r := &remote{}
	cmd := &cobra.Command{
		Use:   "profiles",
		Short: "List your logins",
		Long: `List your logins: the name, the server and the user of each. A name is given by
"sluice login --profile", and chosen by --profile or SLUICE_PROFILE.`,
		Example: "  sluice profiles\n  sluice profiles --json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r.out = cmd.OutOrStdout()
			profiles, err := readProfiles()
			if err != nil {
				return withExitCode(cmd.Context(), err)
			}
			l := r.listing("PROFILE", "SERVER", "USER")
			for _, p := range profiles {
				shown := struct {
					Profile  string `json:"profile"`
					Server   string `json:"server"`
					Username string `json:"username"`
				}{p.profile, p.server, p.login.Username}
				if err := l.add(shown, p.profile, p.server, p.login.Username); err != nil {
					return err
				}
			}
			return l.endPage()
		},
	}
	cmd.Flags().BoolVar(&r.json, "json", false, "print JSON instead of words")
	return cmd
}
