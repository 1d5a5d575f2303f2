package main

import (
	"fmt"
	"slices"
)

// queues holds every queue that EventBridge sends to, or keeps its dead letters
// in, to a policy of its own that lets that rule in: a queue is no function, and
// asks for no role.
func queues(s stack) (problems []string) {
	for _, rule := range s.of("AWS::Events::Rule") {
		for _, t := range objects(rule.Properties, "Targets") {
			for _, arn := range []string{text(t, "Arn"), text(t, "DeadLetterConfig", "Arn")} {
				for _, queue := range s.of("AWS::SQS::Queue") {
					if arn == "${"+queue.Name+".Arn}" && !s.admits(queue, rule) {
						problems = append(problems, fmt.Sprintf("%s lets no event of %s in", queue.Name, rule.Name))
					}
				}
			}
		}
	}
	return problems
}

// admits reports whether a queue's policy lets a rule send to it.
func (s stack) admits(queue, rule resource) bool {
	for _, p := range s.of("AWS::SQS::QueuePolicy") {
		if !slices.Contains(texts(p.Properties, "Queues"), "${"+queue.Name+"}") {
			continue
		}
		for _, st := range objects(p.Properties, "PolicyDocument", "Statement") {
			if text(st, "Effect") == "Allow" && text(st, "Principal", "Service") == "events.amazonaws.com" &&
				slices.Contains(texts(st, "Action"), "sqs:SendMessage") && text(st, "Resource") == "${"+queue.Name+".Arn}" &&
				text(st, "Condition", "ArnEquals", "aws:SourceArn") == "${"+rule.Name+".Arn}" {
				return true
			}
		}
	}
	return false
}

// redelivery holds what reads a queue to the settings without which messages are
// lost, doubled or tried for ever.
func redelivery(s stack) (problems []string) {
	say := func(format string, a ...any) { problems = append(problems, fmt.Sprintf(format, a...)) }
	mappings := s.of("AWS::Lambda::EventSourceMapping")
	for _, m := range mappings {
		var queue, function resource
		for _, q := range s.of("AWS::SQS::Queue") {
			if text(m.Properties, "EventSourceArn") == "${"+q.Name+".Arn}" {
				queue = q
			}
		}
		for _, f := range s.functions() {
			if text(m.Properties, "FunctionName") == "${"+f.Name+"Aliaslive}" {
				function = f
			}
		}
		if queue.Name == "" || function.Name == "" {
			say("%s joins no queue and alias", m.Name)
			continue
		}
		if !slices.Contains(texts(m.Properties, "FunctionResponseTypes"), "ReportBatchItemFailures") {
			say("%s takes a batch of which one message failed for done, or for failed", m.Name)
		}
		if hidden, takes := number(queue.Properties, "VisibilityTimeout"), number(function.Properties, "Timeout"); hidden <= takes {
			say("%s shows a message again after %.0f s, and %s may take %.0f", queue.Name, hidden, function.Name, takes)
		}
		if dead := text(queue.Properties, "RedrivePolicy", "deadLetterTargetArn"); dead == "" || number(queue.Properties, "RedrivePolicy", "maxReceiveCount") < 2 {
			say("%s has no dead letters", queue.Name)
		}
	}
	if len(mappings) == 0 {
		say("nothing reads a queue")
	}
	return problems
}
