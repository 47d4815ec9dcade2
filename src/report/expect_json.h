// Expectations, probes and validators in a run's document: written and read.
#pragma once

#include "base/json_reader.h"
#include "base/json_writer.h"
#include "report/run_record.h"

namespace rehearse::report {

/// Member `expect` of `action`.
void write_declared(JsonWriter& json, const Declared& declared);
void read_declared(JsonReader& json, Action& action);

/// Members `expectations`, `probes` and `validations` of the document.
void write_expectations(JsonWriter& json, const RunRecord& record);
void read_expectations(JsonReader& json, RunRecord& record);

}  // namespace rehearse::report
