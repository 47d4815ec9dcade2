# Tests of the built program on the real kernel. They need root; exit code 77 is a skip with its reason printed.
find_program(PYTHON3 python3 REQUIRED)

add_executable(hostile ${PROJECT_SOURCE_DIR}/tests/redteam/hostile.cc)
target_compile_options(hostile PRIVATE -Wall -Wextra -Werror -O1)
target_link_options(hostile PRIVATE -static)

add_executable(use_library ${PROJECT_SOURCE_DIR}/tests/api/use_library.cc)
target_compile_options(use_library PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Werror)
target_link_libraries(use_library PRIVATE librehearse)

add_executable(calls ${PROJECT_SOURCE_DIR}/tests/system/calls.cc)
target_compile_options(calls PRIVATE -Wall -Wextra -Werror -O1)
target_link_options(calls PRIVATE -static)
target_link_libraries(calls PRIVATE Threads::Threads)

add_executable(gate_bed ${PROJECT_SOURCE_DIR}/tests/system/gate_bed.cc)
target_link_libraries(gate_bed PRIVATE rehearse_gate rehearse_trace rehearse_host)
if(REHEARSE_STATIC)
  target_link_options(gate_bed PRIVATE -static -Wl,-z,norelro)
endif()

add_executable(manager_server ${PROJECT_SOURCE_DIR}/tests/system/manager_server.cc)
target_link_libraries(manager_server PRIVATE rehearse_units)
if(REHEARSE_STATIC)
  target_link_options(manager_server PRIVATE -static)
endif()

# Cutting the power of disks needs FUSE; without its library (LGPL-2.1, linked by this program alone) that test is skipped.
pkg_check_modules(FUSE3 IMPORTED_TARGET fuse3)
if(FUSE3_FOUND)
  add_executable(disk_recorder ${PROJECT_SOURCE_DIR}/tests/fault/disk_recorder.cc)
  target_compile_options(disk_recorder PRIVATE -Wall -Wextra -Wpedantic -Wconversion -Werror -O2)
  target_link_libraries(disk_recorder PRIVATE PkgConfig::FUSE3)
  set(disk_recorder $<TARGET_FILE:disk_recorder>)
endif()

# rehearse_python_test(NAME FILE TIMEOUT): one ctest entry; they look at the whole host, so one at a time.
function(rehearse_python_test name file timeout)
  add_test(NAME ${name} COMMAND ${PYTHON3} -B ${PROJECT_SOURCE_DIR}/tests/${file} ${ARGN})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT ${timeout} RUN_SERIAL TRUE
    ENVIRONMENT "REHEARSE=$<TARGET_FILE:rehearse>;HOSTILE=$<TARGET_FILE:hostile>;CALLS=$<TARGET_FILE:calls>;GATE_BED=$<TARGET_FILE:gate_bed>;MANAGER_SERVER=$<TARGET_FILE:manager_server>;USE_LIBRARY=$<TARGET_FILE:use_library>;DISK_RECORDER=${disk_recorder};PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/system")
endfunction()

rehearse_python_test(system.actions system/test_actions.py 400)
rehearse_python_test(system.bad_input system/test_bad_input.py 120)
rehearse_python_test(system.clients system/test_clients.py 400)
rehearse_python_test(system.environment system/test_environment.py 120)
rehearse_python_test(system.expect system/test_expect.py 180)
rehearse_python_test(system.failures system/test_failures.py 400)
rehearse_python_test(system.export system/test_export.py 300)
rehearse_python_test(system.gate_worker system/test_gate_worker.py 600)
rehearse_python_test(system.files system/test_files.py 180)
rehearse_python_test(system.lifetime system/test_lifetime.py 240)
rehearse_python_test(system.library system/test_library.py 60)
rehearse_python_test(system.limits system/test_limits.py 180)
rehearse_python_test(system.root_profile system/test_root_profile.py 120)
rehearse_python_test(system.promote system/test_promote.py 1500)
rehearse_python_test(system.approval system/test_approval.py 600)
rehearse_python_test(system.policy system/test_policy.py 300)
rehearse_python_test(system.promote_cases system/test_promote_cases.py 900)
rehearse_python_test(system.promote_units system/test_promote_units.py 240)
rehearse_python_test(system.random system/test_random.py 600)
rehearse_python_test(system.manager system/test_manager.py 120)
rehearse_python_test(system.action_file system/test_action_file.py 60)
rehearse_python_test(system.service_manager system/test_service_manager.py 180)
rehearse_python_test(system.mounts system/test_mounts.py 240)
rehearse_python_test(system.network system/test_network.py 240)
rehearse_python_test(system.mirror system/test_mirror.py 240)
rehearse_python_test(system.capture system/test_capture.py 240)
rehearse_python_test(system.trace system/test_trace.py 300)
rehearse_python_test(system.systemd system/test_systemd.py 120)
rehearse_python_test(redteam.contained redteam/test_hostile.py 600)
rehearse_python_test(fault.promote_sweep fault/test_promote_sweep.py 1500)
rehearse_python_test(fault.power_cut fault/test_power_cut.py 400)
rehearse_python_test(fault.sweep fault/test_sweep.py 400)

# What may ruin its host, on one that may be ruined: a Debian tree booted with systemd (made once, two minutes).
add_test(NAME system.booted COMMAND ${PROJECT_SOURCE_DIR}/scripts/test-system booted native systemd manager whole_root promote_root)
set_tests_properties(system.booted PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1200 RUN_SERIAL TRUE)

# Recorded runs, judged without root.
add_test(NAME policy.corpus COMMAND rehearse policy test --policy builtin --policy ${PROJECT_SOURCE_DIR}/tests/data/corpus)
set_tests_properties(policy.corpus PROPERTIES TIMEOUT 120)
