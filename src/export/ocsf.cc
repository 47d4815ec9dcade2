#include "export/ocsf.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "base/escape.h"
#include "trace/event_paths.h"

namespace rehearse::exporting {
namespace {

using syscalls::Nr;
using trace::EventType;
using trace::TraceEvent;

constexpr std::string_view kVersion = "1.8.0";
/// Of a command line wherever a process is only mentioned.
constexpr std::size_t kMostMentioned = 1024;
/// Bound sockets that are remembered, whatever the action does.
constexpr std::size_t kMostBound = 65536;

// file.type_id
constexpr std::uint32_t kRegular = 1, kFolder = 2, kCharacterDevice = 3, kBlockDevice = 4, kSocket = 5,
                        kPipe = 6, kSymlink = 7;

std::uint32_t type_of_mode(std::uint32_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return kRegular;
    case S_IFDIR:
      return kFolder;
    case S_IFCHR:
      return kCharacterDevice;
    case S_IFBLK:
      return kBlockDevice;
    case S_IFSOCK:
      return kSocket;
    case S_IFIFO:
      return kPipe;
    case S_IFLNK:
      return kSymlink;
    default:
      return 0;
  }
}

std::string uid_of(const struct rh_file& file) {
  return fmt::format("{}:{}:{}", file.dev >> 20U, file.dev & 0xfffffU, file.ino);
}

std::string_view leaf(std::string_view path) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1);
}

std::string command_line(const trace::Image& image, std::size_t most) {
  std::string text;
  for (const std::string& word : image.words()) {
    if (!text.empty()) text += ' ';
    text += shell_quote(word);
    if (most != 0 && text.size() > most) {
      while (text.size() > most || (!text.empty() && !is_utf8(text))) text.pop_back();
      return text + "…";
    }
  }
  return text;
}

/// An address as its endpoint has it.
struct Address {
  std::string ip;
  std::uint16_t port = 0;
  std::string name;  ///< of a local socket
  int family = 0;
};

std::optional<Address> address_of(std::string_view sockaddr) {
  Address address;
  if (const auto end = trace::endpoint_of(sockaddr)) {
    std::array<char, INET6_ADDRSTRLEN> text = {};
    const bool v4 = end->address.is_v4();
    address.family = v4 ? AF_INET : AF_INET6;
    ::inet_ntop(address.family, end->address.bytes.data() + (v4 ? 12 : 0), text.data(), text.size());
    address.ip = text.data();
    address.port = end->port;
    return address;
  }
  constexpr std::size_t kPath = offsetof(struct sockaddr_un, sun_path);
  std::uint16_t family = 0;
  if (sockaddr.size() <= kPath) return std::nullopt;
  std::memcpy(&family, sockaddr.data(), sizeof family);
  if (family != AF_UNIX) return std::nullopt;
  std::string_view path = sockaddr.substr(kPath);
  // An abstract name begins with NUL, which people write as @; any other ends at one.
  const bool abstract = path.front() == '\0';
  address.name = abstract ? "@" + std::string(path.substr(1)) : std::string(path.substr(0, path.find('\0')));
  address.family = AF_UNIX;
  return address;
}

/// The socket address that went in.
std::string_view sockaddr_of(const TraceEvent& event, const syscalls::Call& call) {
  const syscalls::Syscall* known = syscalls::find_syscall(event.record->head().nr);
  if (known == nullptr) return {};
  const auto at = known->sockaddr_in();
  return at && call.blobs[*at] ? std::string_view(*call.blobs[*at]) : std::string_view();
}

/// Where a path leads that a call names, counted from 0; "" if it could not be read.
std::string path_argument(const TraceEvent& event, const trace::EventStream& stream, unsigned wanted) {
  std::vector<std::string> paths = trace::named_paths(event, stream);
  return wanted < paths.size() ? std::move(paths[wanted]) : std::string();
}

void put_file(JsonWriter& json, std::string_view key, std::string_view path, std::uint32_t type_id,
              std::string_view uid = {}) {
  json.key(key).open_object();
  json.key("name").string(path.empty() ? "?" : to_utf8_lossy(leaf(path)));
  if (!path.empty()) json.key("path").string(to_utf8_lossy(path));
  json.key("type_id").integer(std::uint64_t{type_id});
  if (!uid.empty()) json.key("uid").string(uid);
  json.close_object();
}

void put_endpoint(JsonWriter& json, std::string_view key, const Address& address) {
  json.key(key).open_object();
  if (!address.ip.empty())
    json.key("ip").string(address.ip).key("port").integer(std::uint64_t{address.port});
  else
    json.key("name").string(to_utf8_lossy(address.name.empty() ? "?" : address.name));
  json.close_object();
}

}  // namespace

std::optional<OcsfActivity> OcsfExporter::activity_of(const TraceEvent& event) const {
  switch (event.type) {
    case EventType::kCall:
      return ocsf_activity(event);
    case EventType::kExec:
    case EventType::kStart:
      return OcsfActivity{OcsfClass::kProcess, ocsf::kProcessLaunch};
    case EventType::kEnd:
      return OcsfActivity{OcsfClass::kProcess, ocsf::kProcessTerminate};
    case EventType::kUring:
      return OcsfActivity{OcsfClass::kKernel, ocsf::kKernelInvoke};
    case EventType::kModule:
      return OcsfActivity{OcsfClass::kModule, ocsf::kModuleLoad};
    case EventType::kSignal:
    case EventType::kSocket:  // the call that it is of is told already
      return std::nullopt;
  }
  return std::nullopt;
}

void OcsfExporter::put_head(JsonWriter& json, const TraceEvent& event, const OcsfActivity& activity) {
  const auto class_uid = static_cast<std::uint32_t>(activity.of);
  json.key("activity_id").integer(std::uint64_t{activity.id});
  if (activity.id == ocsf::kOther) json.key("activity_name").string("Bind");
  json.key("category_uid").integer(std::uint64_t{class_uid / 1000});
  json.key("class_uid").integer(std::uint64_t{class_uid});
  json.key("type_uid").integer(std::uint64_t{class_uid} * 100 + activity.id);
  // Informational: what is to be thought of it is not an exporter's to say.
  json.key("severity_id").integer(std::uint64_t{1});
  json.key("time").integer(run_.epoch_ns(event.time_ns) / 1'000'000);
  json.key("metadata").open_object().key("version").string(kVersion);
  json.key("product").open_object().key("name").string("rehearse").key("vendor_name").string("rehearse");
  json.key("version").string(REHEARSE_VERSION).close_object();
  json.key("uid").string(fmt::format("{}:{}", run_.id, event.number));
  json.key("correlation_uid").string(run_.id);
  json.key("profiles").open_array().string("host").close_array().close_object();
  json.key("device").open_object().key("type_id").integer(std::uint64_t{0});
  json.key("hostname").string(to_utf8_lossy(run_.host_name));
  json.key("os").open_object().key("name").string("Linux").key("type_id").integer(std::uint64_t{200});
  if (!run_.host_kernel.empty()) json.key("kernel_release").string(to_utf8_lossy(run_.host_kernel));
  json.close_object().close_object();
}

void OcsfExporter::put_status(JsonWriter& json, const TraceEvent& event) {
  const bool known = event.type != EventType::kCall || !event.unfinished;
  const bool going_on = event.failed() && event.result() == -EINPROGRESS;
  json.key("status_id").integer(std::uint64_t{!known || going_on ? 0U : event.failed() ? 2U : 1U});
  if (event.failed()) {
    const auto error = static_cast<int>(-event.result());
    const std::string_view name = syscalls::errno_name(error);
    json.key("status_code").string(name.empty() ? std::to_string(error) : std::string(name));
    const char* text = ::strerrordesc_np(error);
    json.key("status_detail").string(text == nullptr ? "Unknown error" : text);
  } else if (event.type == EventType::kEnd && event.process->signal) {
    json.key("status_detail")
        .string(fmt::format("killed by {}", syscalls::signal_name(*event.process->signal)));
  }
  if (event.type == EventType::kCall) json.key("message").string(syscalls::format_call(event.call()));
}

void OcsfExporter::put_process(JsonWriter& json, const trace::Process& process, const trace::Image* image,
                               Detail detail) {
  json.open_object().key("pid").integer(std::uint64_t{process.inner_pid});
  json.key("uid").string(fmt::format("{}:{}", run_.id, process.id));
  json.key("name").string(to_utf8_lossy(process.comm.empty() ? "?" : process.comm));
  if (image != nullptr) {
    json.key("cmd_line").string(command_line(*image, detail == Detail::kFull ? 0 : kMostMentioned));
    put_file(json, "file", image->path, kRegular, uid_of(image->file));
  }
  const std::uint32_t uid = run_.inside(process.creds.euid);
  json.key("user").open_object().key("uid").string(std::to_string(uid));
  if (uid == 0) json.key("name").string("root");
  json.close_object();
  json.key("created_time").integer(run_.epoch_ns(process.start_ns) / 1'000'000);
  json.close_object();
}

void OcsfExporter::put_actor(JsonWriter& json, const TraceEvent& event, const trace::EventStream& stream) {
  const trace::ProcessTree& tree = stream.tree();
  const trace::Process* actor = event.process;
  const trace::Image* image = nullptr;
  if (event.type == EventType::kStart) {
    actor = &tree.processes()[event.process->maker];
    image = trace::ProcessTree::image_of(*actor);
  } else if (event.type == EventType::kExec) {
    // What it was until then.
    const auto& images = event.process->images;
    image = images.size() > 1 ? images[images.size() - 2].get() : event.process->inherited.get();
  } else {
    image = trace::ProcessTree::image_of(*actor);
  }
  json.key("actor").open_object().key("process");
  put_process(json, *actor, image, Detail::kShort);
  json.close_object();
}

void OcsfExporter::put_process_activity(JsonWriter& json, const TraceEvent& event,
                                        const trace::EventStream& stream) {
  // launch_type_id: 2 fork, 3 exec
  if (event.type == EventType::kStart) json.key("launch_type_id").integer(std::uint64_t{2});
  if (event.type == EventType::kExec) json.key("launch_type_id").integer(std::uint64_t{3});
  if (event.type == EventType::kEnd && event.process->exit)
    json.key("exit_code").integer(std::int64_t{*event.process->exit});
  const struct rh_head& head = event.record->head();
  if (event.type == EventType::kCall && (head.nr == Nr::execve || head.nr == Nr::execveat)) {
    // It was not to be: the process is the one that asked, the file the one that it asked for.
    json.key("launch_type_id").integer(std::uint64_t{3});
    json.key("process").open_object().key("pid").integer(std::uint64_t{event.process->inner_pid});
    put_file(json, "file", path_argument(event, stream, 0), 0);
    json.close_object();
    return;
  }
  json.key("process");
  put_process(json, *event.process, trace::ProcessTree::image_of(*event.process), Detail::kFull);
}

void OcsfExporter::put_network(JsonWriter& json, const TraceEvent& event, const OcsfActivity& activity) {
  const syscalls::Call call = event.call();
  const std::uint32_t nr = event.record->head().nr;
  const bool accepts = nr == Nr::accept || nr == Nr::accept4;
  const auto key = std::pair(event.process->id, static_cast<std::int32_t>(call.args[0]));
  std::string raw(sockaddr_of(event, call));
  if (nr == Nr::bind && !event.failed() && (bound_.size() < kMostBound || bound_.contains(key)))
    bound_[key] = raw;
  if (activity.id == ocsf::kNetworkListen || accepts) {
    if (const auto found = bound_.find(key); found != bound_.end()) raw = found->second;
  }
  Address address;
  address.name = run_.host_name;  // a socket that has no address yet is at least this host's
  if (auto found = address_of(raw)) address = std::move(*found);
  const bool outbound = nr == Nr::connect || nr == Nr::sendto;
  put_endpoint(json, outbound || accepts ? "dst_endpoint" : "src_endpoint", address);
  if (accepts && event.fd != nullptr && event.fd->client) {
    Address client;
    std::array<char, INET6_ADDRSTRLEN> text = {};
    const bool v4 = event.fd->client->address.is_v4();
    ::inet_ntop(v4 ? AF_INET : AF_INET6, event.fd->client->address.bytes.data() + (v4 ? 12 : 0), text.data(),
                text.size());
    client.ip = text.data();
    client.port = event.fd->client->port;
    put_endpoint(json, "src_endpoint", client);
  }
  // direction_id: 1 inbound, 2 outbound, 4 local
  const std::uint64_t direction = address.family == AF_UNIX ? 4 : outbound ? 2 : 1;
  json.key("connection_info").open_object().key("direction_id").integer(direction);
  if (address.family == AF_INET || address.family == AF_INET6)
    json.key("protocol_ver_id").integer(std::uint64_t{address.family == AF_INET ? 4U : 6U});
  json.close_object();
}

void OcsfExporter::put_unmapped(JsonWriter& json, const TraceEvent& event,
                                const std::optional<Object>& object) {
  json.key("unmapped").open_object().key("event").integer(event.number);
  json.key("process").integer(std::uint64_t{event.process->id});
  if (object) {
    json.key("path_claimed").boolean(object->claimed);
    if (!is_utf8(object->path)) json.key("path_b64").string(base64(object->path));
  }
  if (event.tampered()) json.key("tampered").boolean(true);
  json.close_object();
}

Result<void> OcsfExporter::event(const TraceEvent& event, const trace::EventStream& stream) {
  const auto activity = activity_of(event);
  if (!activity) return {};
  std::string text;
  JsonWriter json(text);
  json.open_object();
  put_head(json, event, *activity);
  put_status(json, event);
  put_actor(json, event, stream);
  std::optional<Object> object;
  switch (activity->of) {
    case OcsfClass::kProcess:
      put_process_activity(json, event, stream);
      break;
    case OcsfClass::kNetwork:
      put_network(json, event, *activity);
      break;
    case OcsfClass::kKernel: {
      const std::string name =
          event.type == EventType::kCall ? syscalls::format_name(event.call()) : std::string("io_uring");
      // type_id 2: a system call
      json.key("kernel").open_object().key("name").string(name).key("type_id").integer(std::uint64_t{2});
      json.key("system_call").string(name).close_object();
      break;
    }
    case OcsfClass::kModule: {
      std::string path(trace::module_name(*event.record));  // the kernel's own name for it
      if (event.type == EventType::kCall) {
        path = event.fd != nullptr ? event.fd->name : std::string();
        const syscalls::Call call = event.call();
        if (event.record->head().nr == Nr::delete_module && call.texts[0]) path = call.texts[0]->bytes;
      }
      json.key("module").open_object().key("load_type_id").integer(std::uint64_t{0});
      put_file(json, "file", path, 0);
      json.close_object();
      break;
    }
    case OcsfClass::kFile: {
      object.emplace();
      const std::string asked = path_argument(event, stream, activity->path);
      const struct rh_head& head = event.record->head();
      // By a directory's descriptor and a name below it: the descriptor is not the file.
      const bool by_fd = event.fd != nullptr && (event.opened || asked.empty());
      if (by_fd && !event.fd->name.empty()) {
        object->path = event.fd->name;
      } else {
        object->path = asked;
        object->claimed = true;
      }
      if (by_fd && event.fd->known_file) {
        object->type_id = type_of_mode(event.fd->file.mode);
        object->uid = uid_of(event.fd->file);
      }
      if (head.nr == Nr::mkdir || head.nr == Nr::mkdirat || head.nr == Nr::rmdir) object->type_id = kFolder;
      if (head.nr == Nr::symlink || head.nr == Nr::symlinkat) object->type_id = kSymlink;
      put_file(json, "file", object->path, object->type_id, object->uid);
      if (activity->id == ocsf::kFileRename && !event.failed())
        put_file(json, "file_result", path_argument(event, stream, 1), object->type_id);
      break;
    }
  }
  put_unmapped(json, event, object);
  json.close_object();
  out_.put(text + '\n');
  return {};
}

}  // namespace rehearse::exporting
