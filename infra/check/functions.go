package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sluice/shared/config"
)

// program returns the name of a function's folder under functions/.
func (r resource) program() string {
	return strings.TrimSuffix(path.Base(text(r.Properties, "Code", "S3Key")), ".zip")
}

func (r resource) environment() map[string]string {
	out := map[string]string{}
	variables, _ := at(r.Properties, "Environment", "Variables").(object)
	for name, value := range variables {
		out[name] = fmt.Sprint(value)
	}
	return out
}

func (s stack) functions() []resource { return s.of("AWS::Lambda::Function") }

// known are the settings of a server, by their names in the environment.
func known() map[string]bool {
	names := map[string]bool{}
	_, _ = config.Load(nil, func(name string) string { names[name] = true; return "" })
	return names
}

// environment holds the settings of each function to those that there are, and
// their values to what a server takes.
func environment(s stack) (problems []string) {
	settings := known()
	for _, f := range s.functions() {
		values := f.environment()
		for _, name := range slices.Sorted(maps.Keys(values)) {
			if !settings[name] {
				problems = append(problems, fmt.Sprintf("%s sets %s, which is no setting", f.Name, name))
			}
		}
		if _, err := config.Load(nil, func(name string) string { return filledIn(values[name]) }); err != nil {
			problems = append(problems, fmt.Sprintf("%s would not start: %v", f.Name, err))
		}
		for _, name := range needed(f.program()) {
			if values[name] == "" {
				problems = append(problems, fmt.Sprintf("%s lacks %s", f.Name, name))
			}
		}
	}
	return problems
}

// needed are the settings without which a function would look for its records,
// blobs or keys in itself, or keep its jobs to itself.
func needed(program string) []string {
	return map[string][]string{
		"auth":     {"SLUICE_TRANSPORT", "SLUICE_TABLE", "SLUICE_KEYS"},
		"files":    {"SLUICE_TRANSPORT", "SLUICE_TABLE", "SLUICE_KEYS", "SLUICE_BLOB", "SLUICE_QUEUE", "SLUICE_DOWNLOAD_URL"},
		"download": {"SLUICE_TRANSPORT", "SLUICE_TABLE", "SLUICE_KEYS", "SLUICE_BLOB"},
		"ingest":   {"SLUICE_TABLE", "SLUICE_KEYS", "SLUICE_BLOB", "SLUICE_QUEUE"},
		"janitor":  {"SLUICE_TABLE", "SLUICE_KEYS", "SLUICE_BLOB", "SLUICE_QUEUE"},
	}[program]
}

// filledIn puts something in the place of what only AWS knows.
func filledIn(value string) string {
	return strings.NewReplacer(
		"${DownloadStreamURL.FunctionUrl}", "https://abc.lambda-url.eu-central-1.on.aws/",
		"${IngestQueue}", "https://sqs.eu-central-1.amazonaws.com/123456789012/ingest",
		"${Distribution.DomainName}", "d1.cloudfront.net",
		"${StreamApi}", "abc", "${AWS::Region}", "eu-central-1", "${AWS::URLSuffix}", "amazonaws.com",
		"${AWS::StackName}", "sluice", "${Bucket}", "sluice-bucket-1", "${DomainTable}", "sluice-DomainTable-1A", "${HotTable}", "sluice-HotTable-1B",
	).Replace(value)
}
