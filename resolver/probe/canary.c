/*
 * canary.c: see canary.h; numbers in brackets are its points.
 */
#include "probe/canary.h"

#include "core/sending.h"

#include <stdlib.h>

enum {
    ATTEMPTS = FORGING_RATE * (CANARY_LIFE / 1000 + 1),
    ASKED    = 2
};

struct attempt {
    struct list     link;
    struct name     domain; /* len 0: a look of the blind */
    struct inquiry  about, control_about;
    struct exchange asked[ASKED], control;
    msec_t          started;
    msec_t          answered; /* 0: it was not */
    bool            told;
};

void canary_init(struct canary *canary) { list_init(&canary->attempts); }

/* ---- sending ---- */

/* A domain of documentation's: whoever forged it would forge for everybody's examples. */
static bool draw_control(struct canary *canary, struct inquiry *ret)
{
    static const uint8_t harmless[] = "\7example\3com";
    *ret                            = (struct inquiry){.type = TYPE_A, .class = CLASS_IN};
    return name_prepend_random(&ret->name, (struct view){harmless, sizeof(harmless)}, &canary->env->rng);
}

static void ask(struct canary *canary, struct attempt *attempt, struct exchange *exchange, const struct inquiry *about,
                msec_t now)
{
    exchange->owner = attempt;
    exchange_open(exchange, canary->env->setup->canary, about, &canary->env->rng, now);
    sending_send(canary->env, exchange, now);
}

static struct attempt *attempt_new(struct canary *canary, msec_t now)
{
    struct attempt *attempt = canary->count < ATTEMPTS ? calloc(1, sizeof(*attempt)) : NULL;
    if (!attempt)
        return NULL;
    attempt->started = now;
    list_append(&canary->attempts, &attempt->link);
    canary->count++;
    return attempt;
}

void canary_try(struct canary *canary, struct view name, struct view domain, msec_t now) /* [1] */
{
    struct attempt *attempt = !canary->blind && canary->env->setup->canary ? attempt_new(canary, now) : NULL;
    if (!attempt) {
        forging_end(canary->env->shared.forging, domain, name, false, now);
        return;
    }
    canary->stats->canary_tried++;
    name_set_lower(&attempt->domain, domain);
    attempt->about = (struct inquiry){.type = TYPE_A, .class = CLASS_IN};
    name_set_lower(&attempt->about.name, name);
    if (draw_control(canary, &attempt->control_about))
        ask(canary, attempt, &attempt->control, &attempt->control_about, now);
    ask(canary, attempt, &attempt->asked[0], &attempt->about, now);
}

static void look(struct canary *canary, msec_t now) /* [3] */
{
    struct attempt *attempt = attempt_new(canary, now);
    canary->look_at         = now + CANARY_LOOK;
    if (attempt && draw_control(canary, &attempt->about))
        ask(canary, attempt, &attempt->asked[0], &attempt->about, now);
}

/* ---- replies ---- */

bool canary_owns(const struct canary *canary, const struct exchange *exchange)
{
    return exchange->server == canary->env->setup->canary;
}

/* Whatever it says: nobody should say anything. */
static bool is_reply(const struct exchange *exchange, struct view packet)
{
    struct message message;
    message_parse(packet, &message);
    return packet.len >= MESSAGE_HEADER && message.id == exchange->id && message.flags & FLAG_QR &&
           message.has_question && message.question.type == exchange->inquiry->type &&
           name_equal(message.question.name, name_view(&exchange->inquiry->name));
}

static void set_blind(struct canary *canary, bool blind)
{
    canary->blind = blind;
    forging_set_blind(canary->env->shared.forging, blind);
    canary->blinded(canary->owner, blind);
}

static bool is_look(const struct attempt *attempt) { return attempt->domain.len == 0; }

/* `silent`: the canary was, all the while. */
static void end_attempt(struct canary *canary, struct attempt *attempt, bool silent, msec_t now)
{
    if (attempt->answered == 0 && !is_look(attempt))
        forging_end(canary->env->shared.forging, name_view(&attempt->domain), name_view(&attempt->about.name), silent,
                    now);
    for (unsigned i = 0; i < ASKED; i++)
        sending_release(canary->env, &attempt->asked[i]);
    sending_release(canary->env, &attempt->control);
    list_remove(&attempt->link);
    canary->count--;
    free(attempt);
}

static void end_all(struct canary *canary, msec_t now)
{
    LIST_EACH (item, next, &canary->attempts)
        end_attempt(canary, CONTAINER_OF(item, struct attempt, link), false, now);
}

void canary_on_packet(struct canary *canary, struct exchange *exchange, struct view packet, msec_t now)
{
    struct attempt *attempt = exchange->owner;
    if (!is_reply(exchange, packet))
        return;
    if (exchange == &attempt->control || is_look(attempt)) { /* [3] */
        end_all(canary, now);
        canary->look_at = now + CANARY_LOOK;
        if (!canary->blind)
            set_blind(canary, true);
        return;
    }
    if (attempt->answered == 0)
        attempt->answered = now;
    sending_release(canary->env, exchange);
    canary_on_time(canary, now);
}

/* ---- time ---- */

static bool was_sent(const struct attempt *attempt)
{
    return attempt->asked[0].sends[TRANSPORT_UDP] + attempt->asked[1].sends[TRANSPORT_UDP] > 0;
}

static msec_t shown_at(const struct attempt *attempt)
{
    return msec_max(attempt->answered, attempt->started + CANARY_GRACE);
}

static bool is_asked_again(const struct attempt *attempt) { return attempt->asked[1].state != EXCHANGE_UNUSED; }

static msec_t attempt_due(const struct attempt *attempt)
{
    msec_t due = attempt->started + CANARY_LIFE;
    if (!is_asked_again(attempt) && attempt->answered == 0)
        due = msec_min(due, attempt->started + CANARY_AGAIN);
    if (attempt->answered && !attempt->told)
        due = msec_min(due, shown_at(attempt));
    return due;
}

msec_t canary_next(const struct canary *canary)
{
    msec_t due = canary->blind ? canary->look_at : MSEC_NEVER;
    LIST_EACH (item, next, &canary->attempts)
        due = msec_min(due, attempt_due(CONTAINER_OF(item, struct attempt, link)));
    return due;
}

static void finish(struct canary *canary, struct attempt *attempt, msec_t now)
{
    bool sent = was_sent(attempt), sees = is_look(attempt) && sent;
    end_attempt(canary, attempt, sent, now);
    if (sees)
        set_blind(canary, false);
}

static void tend(struct canary *canary, struct attempt *attempt, msec_t now)
{
    if (!is_asked_again(attempt) && attempt->answered == 0 && now >= attempt->started + CANARY_AGAIN)
        ask(canary, attempt, &attempt->asked[1], &attempt->about, now);
    if (attempt->answered && !attempt->told && now >= shown_at(attempt)) { /* [2] */
        attempt->told = true;
        canary->stats->canary_answered++;
        canary->shown(canary->owner, name_view(&attempt->about.name), name_view(&attempt->domain), now);
    }
    if (now >= attempt->started + CANARY_LIFE)
        finish(canary, attempt, now);
}

void canary_on_time(struct canary *canary, msec_t now)
{
    LIST_EACH (item, next, &canary->attempts)
        tend(canary, CONTAINER_OF(item, struct attempt, link), now);
    if (canary->blind && now >= canary->look_at)
        look(canary, now);
}

void canary_clear(struct canary *canary)
{
    while (!list_empty(&canary->attempts))
        end_attempt(canary, CONTAINER_OF(canary->attempts.next, struct attempt, link), false, 0);
    canary->blind = false;
    if (!canary->env->shared.forging)
        return;
    forging_set_blind(canary->env->shared.forging, false);
    forging_clear(canary->env->shared.forging);
}
