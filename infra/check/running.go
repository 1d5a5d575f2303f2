package main

import (
	"fmt"
	"slices"
	"strings"
)

// deployments holds each function to an alias that a deployment moves step by
// step, and that its alarms move back.
func deployments(s stack) (problems []string) {
	for _, f := range s.functions() {
		alias := s[f.Name+"Aliaslive"]
		group := strings.Trim(text(alias.Update, "CodeDeployLambdaAliasUpdate", "DeploymentGroupName"), "${}")
		if group == "" {
			problems = append(problems, f.Name+" has no alias that a deployment moves")
			continue
		}
		g := s[group].Properties
		if at(g, "AutoRollbackConfiguration", "Enabled") != true || !slices.Contains(texts(g, "AutoRollbackConfiguration", "Events"), "DEPLOYMENT_STOP_ON_ALARM") {
			problems = append(problems, group+" rolls nothing back")
		}
		watched := map[string]bool{}
		for _, a := range objects(g, "AlarmConfiguration", "Alarms") {
			alarm := s[strings.Trim(text(a, "Name"), "${}")].Properties
			for _, d := range objects(alarm, "Dimensions") {
				if text(d, "Name") == "Resource" && text(d, "Value") == "${"+f.Name+"}:live" {
					watched[text(alarm, "MetricName")] = true
				}
			}
		}
		for _, metric := range []string{"Errors", "Throttles", "Duration"} {
			if !watched[metric] {
				problems = append(problems, fmt.Sprintf("%s is not watched for %s while it is deployed", f.Name, metric))
			}
		}
	}
	if !watchesDeadLetters(s) {
		problems = append(problems, "no alarm watches the dead letters")
	}
	return problems
}

func watchesDeadLetters(s stack) bool {
	for _, q := range s.of("AWS::SQS::Queue") {
		dead := strings.TrimSuffix(strings.TrimPrefix(text(q.Properties, "RedrivePolicy", "deadLetterTargetArn"), "${"), ".Arn}")
		for _, a := range s.of("AWS::CloudWatch::Alarm") {
			for _, d := range objects(a.Properties, "Dimensions") {
				if dead != "" && text(d, "Value") == "${"+dead+".QueueName}" {
					return true
				}
			}
		}
	}
	return false
}

// logs holds each function to a log group with an end, which its role may write.
func logs(s stack) (problems []string) {
	for _, f := range s.functions() {
		group := strings.Trim(text(f.Properties, "LoggingConfig", "LogGroup"), "${}")
		if number(s[group].Properties, "RetentionInDays") <= 0 {
			problems = append(problems, fmt.Sprintf("%s logs to %q, which is kept for ever or is not there", f.Name, group))
			continue
		}
		role := s.roleOf(f)
		if !slices.ContainsFunc(statements(role), func(st object) bool {
			return slices.Contains(texts(st, "Action"), "logs:PutLogEvents") && slices.Contains(texts(st, "Resource"), "${"+group+".Arn}")
		}) {
			problems = append(problems, fmt.Sprintf("%s may not write %s", role.Name, group))
		}
	}
	return problems
}

// storage holds tables and bucket to what `sluice admin init` would make.
func storage(s stack) (problems []string) {
	say := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	tables := s.of("AWS::DynamoDB::Table")
	for _, t := range tables {
		var keys []string
		for _, k := range objects(t.Properties, "KeySchema") {
			keys = append(keys, text(k, "AttributeName")+" "+text(k, "KeyType"))
		}
		if !slices.Equal(keys, []string{"pk HASH", "sk RANGE"}) {
			say("%s has the keys %v, want pk and sk", t.Name, keys)
		}
		if text(t.Properties, "TimeToLiveSpecification", "AttributeName") != "ttl" || at(t.Properties, "TimeToLiveSpecification", "Enabled") != true {
			say("%s does not expire by ttl", t.Name)
		}
		if at(t.Properties, "PointInTimeRecoverySpecification", "PointInTimeRecoveryEnabled") != true || at(t.Properties, "SSESpecification", "SSEEnabled") != true ||
			fmt.Sprint(at(t.Properties, "DeletionProtectionEnabled")) != "true" || text(t.Properties, "BillingMode") != "PAY_PER_REQUEST" {
			say("%s lacks recovery, encryption, protection or billing by request", t.Name)
		}
	}
	if len(tables) != 2 {
		say("there are %d tables, want 2", len(tables))
	}
	for _, b := range s.of("AWS::S3::Bucket") {
		if at(b.Properties, "NotificationConfiguration", "EventBridgeConfiguration", "EventBridgeEnabled") != true {
			say("%s tells EventBridge nothing", b.Name)
		}
		if !slices.ContainsFunc(objects(b.Properties, "LifecycleConfiguration", "Rules"), func(r object) bool {
			return number(r, "AbortIncompleteMultipartUpload", "DaysAfterInitiation") > 7 // an upload may take so long
		}) {
			say("%s keeps uploads that nobody completes, or drops those under way", b.Name)
		}
		for _, header := range []string{"ETag", "Content-Range", "Accept-Ranges", "Content-Disposition"} {
			if !slices.ContainsFunc(objects(b.Properties, "CorsConfiguration", "CorsRules"), func(r object) bool { return slices.Contains(texts(r, "ExposedHeaders"), header) }) {
				say("%s hides %s from pages", b.Name, header)
			}
		}
	}
	return problems
}
