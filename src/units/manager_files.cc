// Unit files: edits and their states, by systemctl in the clone.
#include <fmt/core.h>
#include <algorithm>

#include "units/connection.h"
#include "units/manager.h"
#include "units/unit_name.h"

namespace rehearse::units {

void Manager::file_state(Connection& connection, const Message& call) {
  const std::string name(call.reader().string());
  note_query(connection, name);
  ask(connection, call, {"is-enabled", "--", name}, [this, call](Connection* client, const EditAnswer& said) {
    if (client == nullptr) return;
    const auto state = enabled_state(said);
    if (!state) return error(*client, call, state.error());
    reply(*client, call, "s", DbusWriter().string(*state).take());
  });
}

void Manager::file_links(Connection& connection, const Message& call) {
  DbusReader reader = call.reader();
  const std::string name(reader.string());
  std::vector<std::string> words = {"is-enabled", "--full"};
  if (reader.boolean()) words.emplace_back("--runtime");
  words.insert(words.end(), {"--", name});
  ask(connection, call, std::move(words), [this, call](Connection* client, const EditAnswer& said) {
    if (client == nullptr) return;
    reply(*client, call, "as", DbusWriter().strings(installed_links(said)).take());
  });
}

void Manager::list_files(Connection& connection, const Message& call) {
  note_query(connection, "*");
  ask(connection, call, {"list-unit-files", "--full", "--no-legend", "--no-pager"},
      [this, call](Connection* client, const EditAnswer& said) {
        if (client == nullptr) return;
        DbusReader reader = call.reader();
        const auto next = [&] {
          return reader.next_type().empty() ? std::vector<std::string>() : reader.strings();
        };
        const std::vector<std::string> states = next();
        const std::vector<std::string> patterns = next();
        DbusWriter out;
        const DbusWriter::Array array = out.open_array('(');
        for (const ListedFile& file : listed_files(said)) {
          if (!states.empty() && std::find(states.begin(), states.end(), file.state) == states.end())
            continue;
          const auto matches = [&](const std::string& pattern) {
            return matches_pattern(pattern, file.name);
          };
          if (!patterns.empty() && std::none_of(patterns.begin(), patterns.end(), matches)) continue;
          const auto found = finder_.find(file.name);
          out.open_struct()
              .string(found && found->id == file.name ? found->path : "/" + file.name)
              .string(file.state);
        }
        out.close_array(array);
        reply(*client, call, "a(ss)", out.take());
      });
}

void Manager::default_target(Connection& connection, const Message& call) {
  ask(connection, call, {"get-default"}, [this, call](Connection* client, const EditAnswer& said) {
    if (client == nullptr) return;
    const auto name = units::default_target(said);
    if (!name) return error(*client, call, name.error());
    reply(*client, call, "s", DbusWriter().string(*name).take());
  });
}

void Manager::edit_files(Connection& connection, const Message& call) {
  const auto edit = parse_file_edit(call);
  if (!edit) return error(connection, call, unknown_method(call));
  for (const std::string& file : edit->files) mention(connection, file);
  const Peer peer = connection.peer;
  ask(connection, call, edit->words, [this, call, edit, peer](Connection* client, const EditAnswer& said) {
    table_.forget_file_states();
    const auto answer = edit_reply(*edit, said);
    UnitRequest request;
    request.request = edit->request;
    request.process = peer.process;
    request.answered = answer ? Answered::kCarriedOut : Answered::kRefused;
    if (!answer) request.detail = answer.error().text;
    for (const std::string& file : edit->files) {
      request.unit = file;
      record(nullptr, request);
    }
    if (edit->files.empty()) record(nullptr, request);
    if (client == nullptr) return;
    if (!answer) return error(*client, call, answer.error());
    signal(*client, "UnitFilesChanged", "", "");
    reply(*client, call, answer->signature, answer->body);
  });
}

}  // namespace rehearse::units
